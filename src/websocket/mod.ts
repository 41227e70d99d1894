/** WebSockets. */

export { setWebSocketSettings, type WebSocketSettings, webSocketSettings } from "./settings.ts";
export { type UpgradeWebSocketOptions, upgradeWebSocket, type WebSocketUpgrade } from "./upgrade.ts";
