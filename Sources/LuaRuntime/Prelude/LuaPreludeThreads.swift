extension LuaPreludeText {
  /// Text of the runtime's Lua code: signals, light threads and semaphores. Source: Kong fact, pdk §7.
  static let threads = #"""
    -- A signal is a number that one coroutine waits for and another ends the wait of.
    local last_token = 0
    local function new_token()
      last_token = last_token + 1
      return last_token
    end
    local wait_for_signal, wake = internal["signal.wait"], internal["signal.wake"]

    -- Light threads: what is known of each, by its coroutine, and by its number among those of the request.
    local thread_records = setmetatable({}, {__mode = "k"})

    local function end_thread(record, ok, ...)
      record.ended, record.ok, record.results = true, ok, pack(...)
      internal["thread.ended"](record.number)
      request_table("threads")[record.number] = nil
      if not ok then strict["ngx.log"](4, "lua user thread aborted: runtime error: ", tostring((...))) end
      for token in pairs(record.waiters) do wake(token) end
    end
    local function after_step(record, ok, ...)
      if ok and is_waiting() then return internal["thread.park"](record.number) end
      if ok and status(record.coroutine) == "suspended" then return internal["thread.defer"](record.number) end
      end_thread(record, ok, ...)
    end
    -- A thread goes on whose wait is over.
    local function run_thread()
      local record = request_table("threads")[internal["thread.due"]()]
      if not record or record.ended then return end
      after_step(record, raw_resume(record.coroutine, internal["thread.results"]()))
    end

    providers["ngx.thread"] = function()
      local function record_of(thread, name)
        local record = type(thread) == "thread" and thread_records[thread]
        if not record then raise("bad argument #1 to '" .. name .. "' (lua thread expected, got " .. type(thread) .. ")") end
        return record
      end
      local function spawn(f, ...)
        if type(f) ~= "function" then raise("bad argument #1 to 'spawn' (function expected, got " .. type(f) .. ")") end
        local record = {number = internal["thread.number"](), coroutine = raw_create(f), waiters = {}}
        thread_records[record.coroutine] = record
        request_table("threads")[record.number] = record
        after_step(record, raw_resume(record.coroutine, ...))
        return record.coroutine
      end
      local function wait(...)
        local records = {}
        for i = 1, select("#", ...) do records[i] = record_of((select(i, ...)), "wait") end
        if #records == 0 then raise("at least one coroutine should be specified") end
        while true do
          local is_any_alive = false
          for i = 1, #records do
            local record = records[i]
            if record.ended and not record.is_collected then
              record.is_collected = true
              return record.ok, unpack(record.results, 1, record.results.n)
            end
            if not record.ended then
              if not internal["thread.is_alive"](record.number) then
                record.ended, record.is_collected = true, true
                return false, "the thread was aborted"
              end
              is_any_alive = true
            end
          end
          if not is_any_alive then return nil, "already waited or killed" end
          local token = new_token()
          for i = 1, #records do records[i].waiters[token] = true end
          wait_for_signal(token, 1e9, true)
          for i = 1, #records do records[i].waiters[token] = nil end
        end
      end
      local function kill(thread)
        local record = record_of(thread, "kill")
        if record.ended then return nil, "already waited or killed" end
        record.ended, record.is_collected = true, true
        internal["thread.ended"](record.number)
        request_table("threads")[record.number] = nil
        for token in pairs(record.waiters) do wake(token) end
        return 1
      end
      return {spawn = spawn, wait = wait, kill = kill}
    end

    modules["ngx.semaphore"] = function()
      local function new(count)
        count = count == nil and 0 or tonumber(count)
        if not count or count < 0 then raise("no negative number") end
        local waiting, semaphore = {}, {}
        function semaphore.post(_, more)
          more = more == nil and 1 or tonumber(more)
          if not more or more < 1 then raise("no negative number") end
          count = count + more
          while count > 0 and #waiting > 0 do
            if wake(table.remove(waiting, 1)) then count = count - 1 end
          end
          return true
        end
        function semaphore.count() return count - #waiting end
        function semaphore.wait(_, timeout)
          timeout = timeout == nil and 0 or tonumber(timeout)
          if not timeout or timeout < 0 then raise("no negative number") end
          if count > 0 then
            count = count - 1
            return true
          end
          if timeout == 0 then return false, "timeout" end
          local token = new_token()
          waiting[#waiting + 1] = token
          if wait_for_signal(token, timeout) then return true end
          for place = 1, #waiting do
            if waiting[place] == token then table.remove(waiting, place) break end
          end
          return false, "timeout"
        end
        return semaphore
      end
      return {new = new}
    end

    """#
}
