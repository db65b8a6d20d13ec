// The package `ws` comes without types; only its class is passed on.
declare module "ws" {
  export const WebSocket: unknown;
}
