/** WebSockets. */

export { broadcast } from "./broadcast.ts";
export { setWebSocketSettings, type WebSocketSettings, webSocketSettings } from "./settings.ts";
export {
  type OpenedWebSocket,
  type ServerWebSocketStream,
  upgradeWebSocketStream,
  type WebSocketCloseInfo,
  WebSocketError,
  type WebSocketStreamUpgrade,
} from "./stream.ts";
export {
  type UpgradedWebSocket,
  type UpgradeWebSocketOptions,
  upgradeWebSocket,
  type WebSocketUpgrade,
} from "./upgrade.ts";
