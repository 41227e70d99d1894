/**
 * How much longer all takes than on a machine of its own, for what waits for something that comes at once:
 * SLIPWAY_TEST_PATIENCE, which an emulator's run sets (scripts/arm64).
 */
export const patience: number = Number(process.env.SLIPWAY_TEST_PATIENCE ?? 1);
