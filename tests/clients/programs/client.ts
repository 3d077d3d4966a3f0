// Creates, reads and lists a task at every door, typed by openapi-typescript.
import assert from "node:assert/strict"
import type { components } from "./api.js"

type Schemas = components["schemas"]
const env = process.env as Record<string, string>

async function ask<Answer>(headers: Record<string, string>, path: string, body?: unknown) {
  const answer = await fetch(env.URL + path, {
    method: body === undefined ? "GET" : "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  })
  assert.ok(answer.ok, `${path}: ${answer.status}`)
  return (await answer.json()) as Answer
}

async function commands() {
  const key = { "X-Service-Key": env.ServiceKey! }
  const execute = <Answer extends Schemas["CommandResponse"]>(command: Schemas["CommandRequest"]) =>
    ask<Answer>(key, "/execute", command)
  const user_id = "user_123"
  const created = await execute<Schemas["CreateTaskResponse"]>({
    action: "create-task", user_id, payload: { title: "Feed cat" },
  })
  const read = await execute<Schemas["GetTaskResponse"]>({
    action: "get-task", user_id, payload: { task_id: created.data.id },
  })
  assert.deepEqual(read.data, created.data)
  const listed = await execute<Schemas["ListTasksResponse"]>({
    action: "list-tasks", user_id, payload: { limit: 100 },
  })
  assert.ok(listed.data.tasks.some((task) => task.id === created.data.id))
}

async function sessions() {
  const acting = { "X-Service-Auth": env.ServiceAuth!, "X-User-ID": "user_123" }
  const body: Schemas["SessionsNewTask"] = { title: "Feed cat" }
  const task = await ask<Schemas["ShownTask"]>(acting, "/api/tasks", body)
  assert.deepEqual(await ask(acting, `/api/tasks/${task.id}`), task)
  const tasks = await ask<Schemas["ShownTask"][]>(acting, "/api/tasks")
  assert.ok(tasks.some((one) => one.id === task.id))
}

async function accounts() {
  const account: Schemas["NewAccount"] = {
    email: "felix@example.com", password: "Salmon-at-7", full_name: "Felix",
  }
  const { access_token } = await ask<Schemas["Registered"]>({}, "/api/v1/auth/register", account)
  const bearer = { Authorization: `Bearer ${access_token}` }
  const body: Schemas["AccountsNewTask"] = { title: "Feed cat", priority: "medium" }
  const task = await ask<Schemas["AccountTask"]>(bearer, "/api/v1/tasks", body)
  assert.deepEqual(await ask(bearer, `/api/v1/tasks/${task.id}`), task)
  const page = await ask<Schemas["TaskPage"]>(bearer, "/api/v1/tasks")
  assert.deepEqual(page.items, [task])
}

async function userTasks() {
  const bearer = { Authorization: `Bearer ${env.UserToken}` }
  const body: Schemas["UserTasksNewTask"] = { title: "Feed cat" }
  const task = await ask<Schemas["UserTask"]>(bearer, "/api/user_123/tasks", body)
  assert.deepEqual(await ask(bearer, `/api/user_123/tasks/${task.id}`), task)
  const { tasks } = await ask<Schemas["UserTaskList"]>(bearer, "/api/user_123/tasks")
  assert.ok(tasks.some((one) => one.id === task.id))
}

async function contacts() {
  const key = { "X-API-Key": env.PartnerKey! }
  const body: Schemas["ContactsNewTask"] = { title: "Feed cat" }
  const task = await ask<Schemas["ContactTask"]>(key, "/tasks", body)
  assert.deepEqual(await ask(key, `/tasks/${task.id}`), task)
  const tasks = await ask<Schemas["ContactTask"][]>(key, "/tasks")
  assert.ok(tasks.some((one) => one.id === task.id))
}

for (const door of [commands, sessions, accounts, userTasks, contacts]) await door()
