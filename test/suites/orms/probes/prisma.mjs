import { probe } from "../../support/probe.mjs";

await probe(scope, pool, {
  query: async (text) => await prisma.$queryRawUnsafe(text),
  transaction: async (text) => await prisma.$transaction((tx) => tx.$queryRawUnsafe(text)), // place: transaction
  end: async () => {
    await prisma.$disconnect();
    await pool.end();
  },
});
