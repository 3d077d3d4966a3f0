// A stock Better Auth, as its documentation sets it up: e-mail and password, JWTs, bearer tokens.
import { createServer } from "node:http";
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { toNodeHandler } from "better-auth/node";
import { bearer, jwt } from "better-auth/plugins";
import pg from "pg";

const { BETTER_AUTH_URL, BETTER_AUTH_SECRET, DATABASE_URL, SESSION_TABLE } = process.env;

const options = {
  baseURL: BETTER_AUTH_URL,
  secret: BETTER_AUTH_SECRET,
  database: new pg.Pool({ connectionString: DATABASE_URL }),
  session: { modelName: SESSION_TABLE },
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  plugins: [jwt(), bearer()],
};

await (await getMigrations(options)).runMigrations();
createServer(toNodeHandler(betterAuth(options))).listen(
  new URL(BETTER_AUTH_URL).port,
  "127.0.0.1",
);
