// Serves the Better Auth of the documentation, with its tables made.
import { createServer } from "node:http";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { auth } from "./auth.mjs";

await (await getMigrations(auth.options)).runMigrations();
const { port } = new URL(process.env.BETTER_AUTH_URL);
createServer(toNodeHandler(auth)).listen(port, "127.0.0.1");
