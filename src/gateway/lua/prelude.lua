-- What runs in the Lua VM before any function: the `kong` and `ngx` tables over one host call, and the registry of
-- chunks.
--
-- wasmoon passes strings as UTF-8 text that ends at a NUL, while a Lua string is bytes. Across the border every
-- byte is therefore the code point of the same number, and NUL is U+0100.
--
-- Expects the globals `host_call(method, …)`, `host_methods` (names such as `kong.request.get_header`),
-- `nginx_constants` and `kong_configuration`, and leaves `register_chunk(source, name)` → number and
-- `run_chunk(number, plugin, phase)`.

local host_call, methods, constants, configuration = host_call, host_methods, nginx_constants, kong_configuration
_G.host_call, _G.host_methods, _G.nginx_constants, _G.kong_configuration = nil, nil, nil, nil
local plugin_id, phase = "", ""

-- JSON's null, which crosses the border as U+0101.
local null = setmetatable({}, { __tostring = function() return "userdata: NULL" end })

local function outward(value)
  local kind = type(value)
  if kind == "string" then
    return (value:gsub("[\0\x80-\xff]", function(c)
      return c == "\0" and "\xc4\x80" or utf8.char(c:byte())
    end))
  elseif value == null then
    return "\xc4\x81"
  elseif kind == "table" then
    local copy = {}
    for k, v in pairs(value) do copy[outward(k)] = outward(v) end
    return copy
  elseif kind == "function" or kind == "userdata" or kind == "thread" then
    error("a " .. kind .. " cannot be passed to the local gateway", 0)
  end
  return value
end

local function inward(value)
  local kind = type(value)
  if value == "\xc4\x81" then
    return null
  elseif kind == "string" then
    return (value:gsub("[\xc2-\xc4][\x80-\xbf]", function(c)
      return c == "\xc4\x80" and "\0" or string.char(utf8.codepoint(c))
    end))
  elseif kind == "table" then
    local copy = {}
    for k, v in pairs(value) do copy[inward(k)] = inward(v) end
    return copy
  end
  return value
end

local function call(method, ...)
  local args, count = { ... }, select("#", ...)
  for i = 1, count do args[i] = outward(args[i]) end
  return inward((host_call(method, table.unpack(args, 1, count))))
end

local function refusing(path, fields)
  return setmetatable(fields, {
    __index = function(_, key)
      error(path .. "." .. tostring(key) .. " is not emulated by the local gateway", 2)
    end,
  })
end

local kong = refusing("kong", {})
for _, method in ipairs(methods) do
  local node, path = kong, "kong"
  for part in method:sub(6):gmatch("([^.]+)%.") do
    path = path .. "." .. part
    if rawget(node, part) == nil then node[part] = refusing(path, {}) end
    node = node[part]
  end
  local name = method:match("([^.]+)$")
  if method == "kong.log" then
    node.log = rawget(node, "log") or refusing("kong.log", {})
    getmetatable(node.log).__call = function(_, ...) return call(method, ...) end
  elseif not method:find("^kong%.ctx%.") then
    node[name] = function(...) return call(method, ...) end
  end
end

-- The gateway hands raw bodies over with where they are; Lua gets the text alone.
local get_raw_body = kong.request.get_raw_body
kong.request.get_raw_body = function(...)
  local body = get_raw_body(...)
  return body.content, not body.content and "request body did not fit into client body buffer, consider raising 'client_body_buffer_size'" or nil
end
kong.log.inspect = function(...) kong.log.debug(...) end
kong.version, kong.version_num, kong.pdk_major_version, kong.pdk_version = "3.9.1", 3009001, 2, "2.0.0"
kong.configuration = setmetatable({}, {
  __index = configuration,
  __newindex = function() error("cannot write to configuration", 2) end,
})

local get_captures = kong.request.get_uri_captures
kong.request.get_uri_captures = function()
  local captures = get_captures()
  local unnamed = {}
  for index, text in pairs(captures.unnamed) do unnamed[math.tointeger(tonumber(index))] = text end
  captures.unnamed = unnamed
  return captures
end

kong.ctx = refusing("kong.ctx", {
  shared = setmetatable({}, {
    __index = function(_, key) return call("kong.ctx.shared.get", key) end,
    __newindex = function(_, key, value) call("kong.ctx.shared.set", key, value) end,
  }),
  plugin = setmetatable({}, {
    __index = function(_, key) return call("kong.nginx.get_ctx", plugin_id .. ":" .. tostring(key)) end,
    __newindex = function(_, key, value) call("kong.nginx.set_ctx", plugin_id .. ":" .. tostring(key), value) end,
  }),
})

local levels = { [1] = "alert", [2] = "alert", [3] = "crit", [4] = "err", [5] = "warn", [6] = "notice", [7] = "info", [8] = "debug" }
local function nginx_text(value) return value == nil and "nil" or tostring(value) end

local function joined(...)
  local texts = {}
  for i = 1, select("#", ...) do
    local value = select(i, ...)
    texts[i] = type(value) == "table" and value ~= null and joined(table.unpack(value)) or nginx_text(value)
  end
  return table.concat(texts)
end

local said, status, exiting
local ngx = {
  EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
  OK = 0, ERROR = -1, DECLINED = -5, null = null,
  var = setmetatable({}, { __index = function(_, name) return call("kong.nginx.get_var", name) end }),
  ctx = setmetatable({}, {
    __index = function(_, key) return call("kong.nginx.get_ctx", key) end,
    __newindex = function(_, key, value) call("kong.nginx.set_ctx", key, value) end,
  }),
  header = setmetatable({}, {
    __index = function(_, name) return call("gateway.response_header", name) end,
    __newindex = function(_, name, value)
      if value == nil then kong.response.clear_header(name) else kong.response.set_header(name, value) end
    end,
  }),
  arg = setmetatable({}, {
    __index = function(_, index) if index == 1 then return call("kong.response.get_raw_body") end return index == 2 end,
    __newindex = function(_, index, value) if index == 1 then call("kong.response.set_raw_body", value or "") end end,
  }),
  worker = { id = function() return 0 end, pid = function() return 1 end },
  config = { subsystem = "http" },
  update_time = function() end,
  now = function() return call("gateway.now") end,
  time = function() return math.floor(call("gateway.now")) end,
  today = function() return os.date("!%Y-%m-%d") end,
  localtime = function() return os.date("%Y-%m-%d %H:%M:%S") end,
  utctime = function() return os.date("!%Y-%m-%d %H:%M:%S") end,
  http_time = function(at) return os.date("!%a, %d %b %Y %H:%M:%S GMT", at) end,
  cookie_time = function(at) return os.date("!%a, %d-%b-%y %H:%M:%S GMT", at) end,
  get_phase = function() return phase end,
  log = function(level, ...)
    local texts, count = { ... }, select("#", ...)
    for i = 1, count do texts[i] = nginx_text(texts[i]) end
    kong.log[levels[level] or "notice"](table.unpack(texts, 1, count))
  end,
  say = function(...) said = (said or "") .. joined(...) .. "\n" end,
  print = function(...) said = (said or "") .. joined(...) end,
  exit = function(code)
    -- 0 ends this phase only; what was said is the answer, with the status that was set.
    if said or (status and code == 0) then return kong.response.exit(status or (code >= 200 and code or 200), said) end
    if code == 0 or code == -5 then exiting = true error("exit", 0) end
    return call("gateway.exit", code < 100 and 500 or code)
  end,
  redirect = function(uri, code) return kong.response.exit(code or 302, nil, { Location = uri }) end,
  req = refusing("ngx.req", {
    get_headers = function(max) return kong.request.get_headers(max) end,
    set_header = function(name, value)
      if value == nil then kong.service.request.clear_header(name) else kong.service.request.set_header(name, value) end
    end,
    clear_header = function(name) kong.service.request.clear_header(name) end,
    get_method = function() return kong.request.get_method() end,
    set_method = function(method) kong.service.request.set_method(call("gateway.method", method)) end,
    get_uri_args = function(max) return kong.request.get_query(max) end,
    set_uri_args = function(args)
      if type(args) == "table" then kong.service.request.set_query(args) else kong.service.request.set_raw_query(args) end
    end,
    set_uri = function(uri) kong.service.request.set_path(uri) end,
    read_body = function() end,
    get_body_data = function() local body = kong.request.get_raw_body() return body ~= "" and body or nil end,
    set_body_data = function(body) kong.service.request.set_raw_body(body) end,
    get_post_args = function(max) return kong.request.get_body("application/x-www-form-urlencoded", max) or {} end,
    http_version = function() return kong.request.get_http_version() end,
    start_time = function() return kong.request.get_start_time() / 1000 end,
  }),
}
for _, name in ipairs({ "md5", "sha1_bin", "hmac_sha1", "crc32_long", "encode_base64", "decode_base64", "escape_uri", "unescape_uri", "encode_args", "decode_args" }) do
  ngx[name] = function(...) return call("gateway." .. name, ...) end
end
for name, number in pairs(constants) do ngx[name] = number end
local meta = getmetatable(refusing("ngx", ngx))
local unknown = meta.__index
meta.__index = function(_, key)
  if key == "status" then return status or call("gateway.status") end
  return unknown(_, key)
end
meta.__newindex = function(_, key, value)
  if key ~= "status" then return unknown(_, key) end
  status = value
  kong.response.set_status(value)
end

local cjson = {
  null = null,
  encode = function(value) return call("gateway.json_encode", value) end,
  decode = function(text)
    local result = call("gateway.json_decode", text)
    if result.problem then error(result.problem, 2) end
    return result.value
  end,
}
local modules = {
  cjson = cjson,
  ["cjson.safe"] = setmetatable({
    encode = function(value)
      local ok, text = pcall(cjson.encode, value)
      if ok then return text end
      return nil, tostring(text)
    end,
    decode = function(text)
      local ok, value = pcall(cjson.decode, text)
      if ok then return value end
      return nil, tostring(value)
    end,
  }, { __index = cjson }),
}

table.getn, table.maxn = function(list) return #list end, function(list) return #list end

local function sandbox()
  local env = {
    kong = kong, ngx = ngx,
    assert = assert, error = error, ipairs = ipairs, next = next, pairs = pairs, pcall = pcall,
    select = select, tonumber = tonumber, tostring = tostring, type = type, unpack = table.unpack,
    xpcall = xpcall, rawget = rawget, rawset = rawset, rawequal = rawequal,
    setmetatable = setmetatable, getmetatable = getmetatable,
    math = math, string = string, table = table,
    os = refusing("os", { time = os.time, date = os.date, clock = os.clock, difftime = os.difftime }),
    print = function(...) kong.log.notice(...) end,
    require = function(name)
      if modules[name] then return modules[name] end
      error('require "' .. tostring(name) .. '" is not emulated by the local gateway', 2)
    end,
  }
  env._G = env
  return env
end

local chunks = {}

function register_chunk(source, name)
  local chunk, problem = load(inward(source), name, "t", sandbox())
  if not chunk then error(problem, 0) end
  chunks[#chunks + 1] = { run = chunk, first = true }
  return #chunks
end

local function run(chunk)
  said, status, exiting = nil, nil, false
  local ok, result = pcall(chunk)
  if not ok and not exiting then error(result, 0) end
  if said then kong.response.exit(status or 200, said) end
  return ok and result or nil
end

-- As in Kong: a chunk that returns a function is run once, and its function for every request.
function run_chunk(number, of_plugin, in_phase)
  local chunk = chunks[number]
  plugin_id, phase = of_plugin, in_phase
  if not chunk.first then
    run(chunk.run)
    return
  end
  chunk.first = false
  local result = run(chunk.run)
  if type(result) == "function" then
    chunk.run = result
    run(result)
  end
end
