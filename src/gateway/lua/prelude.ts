/**
 * What runs in the Lua VM before any function: the `kong` and `ngx` tables over one host call, and the registry of
 * chunks.
 *
 * wasmoon passes strings as UTF-8 text that ends at a NUL, while a Lua string is bytes. Across the border every
 * byte is therefore the code point of the same number, and NUL is U+0100.
 *
 * Expects the globals `host_call(method, …)` and `host_methods` (names such as `kong.request.get_header`), and
 * leaves `register_chunk(source, name)` → number and `run_chunk(number)`.
 */
export const PRELUDE = String.raw`
local host_call, methods = host_call, host_methods
_G.host_call, _G.host_methods = nil, nil

local function outward(value)
  local kind = type(value)
  if kind == "string" then
    return (value:gsub("[\0\x80-\xff]", function(c)
      return c == "\0" and "\xc4\x80" or utf8.char(c:byte())
    end))
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
  if kind == "string" then
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
})

local levels = { [1] = "alert", [2] = "alert", [3] = "crit", [4] = "err", [5] = "warn", [6] = "notice", [7] = "info", [8] = "debug" }
local function nginx_text(value) return value == nil and "nil" or value end
local ngx = refusing("ngx", {
  EMERG = 1, ALERT = 2, CRIT = 3, ERR = 4, WARN = 5, NOTICE = 6, INFO = 7, DEBUG = 8,
  var = setmetatable({}, { __index = function(_, name) return call("kong.nginx.get_var", name) end }),
  ctx = setmetatable({}, {
    __index = function(_, key) return call("kong.nginx.get_ctx", key) end,
    __newindex = function(_, key, value) call("kong.nginx.set_ctx", key, value) end,
  }),
  now = function() return call("gateway.now") end,
  time = function() return math.floor(call("gateway.now")) end,
  log = function(level, ...)
    local texts, count = { ... }, select("#", ...)
    for i = 1, count do texts[i] = nginx_text(texts[i]) end
    kong.log[levels[level] or "notice"](table.unpack(texts, 1, count))
  end,
})

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

-- As in Kong: a chunk that returns a function is run once, and its function for every request.
function run_chunk(number)
  local chunk = chunks[number]
  if not chunk.first then
    chunk.run()
    return
  end
  local result = chunk.run()
  chunk.first = false
  if type(result) == "function" then
    chunk.run = result
    result()
  end
end
`;
