import { betterAuth } from "better-auth";
import { bearer, jwt } from "better-auth/plugins";
import pg from "pg";

export const auth = betterAuth({
  baseURL: process.env.BETTER_AUTH_URL,
  secret: process.env.BETTER_AUTH_SECRET,
  database: new pg.Pool({ connectionString: process.env.DATABASE_URL }),
  session: { modelName: process.env.SESSION_TABLE },
  emailAndPassword: { enabled: true },
  plugins: [jwt(), bearer()],
});
