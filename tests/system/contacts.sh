#!/usr/bin/env bash
# A partner's day, with curl and jq: somebody to call, a call, a task, and how both ended.
set -euo pipefail

# 1. Is the service there?
curl -sf http://localhost:8000/health | jq -e '.status == "healthy"'

# 2. A user.
USER_RESPONSE=$(curl -sf -X POST http://localhost:8000/users \
  -H "X-API-Key: demo-secret-key-change-in-production" \
  -H "Content-Type: application/json" \
  -d '{
    "name": "Test User",
    "email": "test@example.com",
    "company": "Test Company"
  }')
USER_ID=$(echo "$USER_RESPONSE" | jq -er '.id')
echo "$USER_RESPONSE" | jq -e '.user_type == "client"'

# 3. A call with this user.
CALL_RESPONSE=$(curl -sf -X POST http://localhost:8000/calls \
  -H "X-API-Key: demo-secret-key-change-in-production" \
  -H "Content-Type: application/json" \
  -d "{
    \"user_id\": \"$USER_ID\",
    \"title\": \"Test Call\",
    \"scheduled_for\": \"2025-10-25T10:00:00Z\",
    \"duration_minutes\": 30
  }")
CALL_ID=$(echo "$CALL_RESPONSE" | jq -er '.id')

# 4. A task for this user.
TASK_RESPONSE=$(curl -sf -X POST http://localhost:8000/tasks \
  -H "X-API-Key: demo-secret-key-change-in-production" \
  -H "Content-Type: application/json" \
  -d "{
    \"title\": \"Follow up with Test User\",
    \"user_id\": \"$USER_ID\"
  }")
TASK_ID=$(echo "$TASK_RESPONSE" | jq -er '.id')

# 5. All of it is listed, also by user and by status.
for query in "users" "calls" "tasks" \
  "calls?user_id=$USER_ID" "calls?status_filter=scheduled" \
  "tasks?user_id=$USER_ID" "tasks?status_filter=todo"; do
  curl -sf "http://localhost:8000/$query" \
    -H "X-API-Key: demo-secret-key-change-in-production" | jq -e 'length == 1'
done
curl -sf "http://localhost:8000/users/$USER_ID" \
  -H "X-API-Key: demo-secret-key-change-in-production" | jq -e '.email == "test@example.com"'

# 6. The call took place, the task is done.
curl -sf -X PATCH "http://localhost:8000/calls/$CALL_ID/status?new_status=completed" \
  -H "X-API-Key: demo-secret-key-change-in-production" | jq -e '.status == "completed"'
curl -sf -X PATCH "http://localhost:8000/tasks/$TASK_ID/status?new_status=done" \
  -H "X-API-Key: demo-secret-key-change-in-production" | jq -e '.status == "done"'

echo "Done."
