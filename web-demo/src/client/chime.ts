// Two short tones, made here so that nothing is fetched; once, however many tabs are open.

/** How long the tab that plays keeps the others quiet. */
const HELD_MS = 3_000;

export async function playChime(id: string): Promise<void> {
  if (!navigator.locks) return play();
  await navigator.locks.request(`hiloop.chime.${id}`, { ifAvailable: true }, async (lock) => {
    if (!lock) return;
    play();
    await new Promise((resolve) => setTimeout(resolve, HELD_MS));
  });
}

/** Silent where the browser wants a press on the page first. */
function play(): void {
  const audio = new AudioContext();
  for (const [at, pitch] of [[0, 660], [0.16, 880]] as const) {
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = pitch;
    volume.gain.setValueAtTime(0.0001, audio.currentTime + at);
    volume.gain.exponentialRampToValueAtTime(0.2, audio.currentTime + at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, audio.currentTime + at + 0.3);
    tone.connect(volume).connect(audio.destination);
    tone.start(audio.currentTime + at);
    tone.stop(audio.currentTime + at + 0.32);
  }
  setTimeout(() => void audio.close(), 1_000);
}
