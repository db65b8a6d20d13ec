// Word from one window of the page to the others.
export interface TabChannel {
  post(): void;
  close(): void;
}

/** `heard` is called when another window posts; nothing happens in browsers without channels. */
export function tabChannel(name: string, heard: () => void): TabChannel {
  if (!("BroadcastChannel" in globalThis)) return { post: () => undefined, close: () => undefined };
  const channel = new BroadcastChannel(name);
  let isOpen = true;
  channel.onmessage = heard;
  return {
    post: () => {
      if (isOpen) channel.postMessage(null);
    },
    close: () => {
      isOpen = false;
      channel.close();
    },
  };
}
