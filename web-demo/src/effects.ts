// Effects run in the task of their drawing. By default they wait for a frame, in which a press, a key or the focus finds
// no listener of what has just been drawn.
import { options } from "preact";

options.requestAnimationFrame = (run) => queueMicrotask(run);
