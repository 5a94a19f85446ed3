-- The load of one measurement by wrk. In: method, body, then field lines. Out: one line of JSON; latencies in µs.
-- No function `request` is defined, so that wrk puts the request together once.

function init(args)
  wrk.method = args[1]
  if args[2] ~= "" then
    wrk.body = args[2]
  end
  for at = 3, #args do
    local name, value = args[at]:match("^([^:]+): (.*)$")
    wrk.headers[name] = value
  end
end

function done(summary, latency)
  local errors = summary.errors
  print(string.format(
    '{"requests":%d,"micros":%d,"octets":%d,"p50":%d,"p99":%d,"failed":%d}',
    summary.requests,
    summary.duration,
    summary.bytes,
    latency:percentile(50),
    latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout
  ))
end
