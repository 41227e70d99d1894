/**
 * `node scripts/node.cjs FILE …`: runs a script of ours under the pinned Node, whichever Node npm itself runs on. npm 10,
 * which Node 20 and 22 bring, does not link the pinned one's `node` into node_modules/.bin; npm 11 does.
 */
require("../src/cli/pinned-node.cjs").becomePinnedNode(process.argv.slice(2));
