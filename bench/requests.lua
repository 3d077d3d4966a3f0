-- wrk -s requests.lua URL -- FILE KEY START
-- Sends the requests of FILE (method, path, body and perhaps a header, separated by tabs) one after
-- another, beginning at line START, and prints the figures of the round as one line of JSON.

local requests, position = {}, 0

local function with(header)
  local name, value = header:match("^([^:]+): (.*)$")
  local headers = {}
  for known, its in pairs(wrk.headers) do headers[known] = its end
  if name then headers[name] = value end
  return headers
end

function init(arguments)
  wrk.headers["X-Service-Key"] = arguments[2]
  wrk.headers["Content-Type"] = "application/json"
  for line in io.lines(arguments[1]) do
    local method, path, body, header = line:match("^(%S+)\t(%S+)\t([^\t]*)\t?(.*)$")
    if body == "" then body = nil end
    requests[#requests + 1] = wrk.format(method, path, with(header), body)
  end
  position = tonumber(arguments[3]) % #requests
end

function request()
  position = position % #requests + 1
  return requests[position]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"seconds":%.6f,"p50_ms":%.3f,"p99_ms":%.3f,' ..
    '"refused":%d,"broken":%d,"late":%d}\n',
    summary.requests, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status, errors.connect + errors.read + errors.write, errors.timeout))
end
