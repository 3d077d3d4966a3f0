// Creates a task, retries safely, pages through a list and handles each error.
// openapi-typescript http://localhost:8888/openapi.json -o api.d.ts --default-non-nullable false
import type { components } from "./api.js"

type Schemas = components["schemas"]
const { URL: url = "http://localhost:8888", SERVICE_KEY = "" } = process.env
const user_id = "user_123"

class Refused extends Error {
  constructor(readonly status: number, readonly body: Schemas["PayloadError"]) {
    super(`${status} ${body.code}: ${body.detail}`)
  }
}

const pause = (seconds: number) => new Promise((done) => setTimeout(done, seconds * 1000))

// Performs a command once, however often it has to be sent.
async function execute<Answer extends Schemas["CommandResponse"]>(
  command: Schemas["CommandRequest"],
): Promise<Answer["data"]> {
  const headers = {
    "Content-Type": "application/json",
    "X-Service-Key": SERVICE_KEY,
    "Idempotency-Key": crypto.randomUUID(),
  }
  for (let attempt = 0; attempt < 5; attempt++) {
    const sent = { method: "POST", headers, body: JSON.stringify(command) }
    const answer = await fetch(`${url}/execute`, sent).catch(() => null)
    if (answer?.ok) return ((await answer.json()) as Answer).data
    if (answer && ![429, 500, 503].includes(answer.status)) {
      const body = (await answer.json()) as Schemas["PayloadError"]
      if (body.code !== "already_running") throw new Refused(answer.status, body)
    }
    await pause(Number(answer?.headers.get("Retry-After") ?? 2 ** attempt / 10))
  }
  throw new Error("The service is not available")
}

// All tasks, page by page: none is skipped or repeated while others write.
async function* everyTask(): AsyncGenerator<Schemas["Task"]> {
  let cursor: string | null | undefined
  do {
    const payload = { limit: 100, cursor }
    const page = await execute<Schemas["ListTasksResponse"]>({ action: "list-tasks", user_id, payload })
    yield* page.tasks
    cursor = page.next_cursor
  } while (cursor)
}

const payload = { title: "Buy cat food", priority: "high" } as const
const task = await execute<Schemas["CreateTaskResponse"]>({ action: "create-task", user_id, payload })
for await (const each of everyTask()) console.log(each.id === task.id ? "new:" : "", each.title)
try {
  await execute({ action: "get-task", user_id, payload: { task_id: "none" } })
} catch (error) {
  if (!(error instanceof Refused)) throw error
  if (error.status === 400) console.log(error.body.errors.map(({ field }) => field))
  else if ([404, 409].includes(error.status)) console.log("It is gone, or was changed: read it again")
  else throw error // 401 and 403: the key; 413 and 422: our own mistake
}
