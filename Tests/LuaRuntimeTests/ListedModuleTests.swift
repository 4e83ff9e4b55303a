import NIOCore
import NIOEmbedded
import PluginKit
import Testing

@testable import LuaRuntime

/// Modules of the lists that are made in Lua.
@Suite struct ListedModuleTests {
  @Test("resty.upload gives the parts of a form one after another")
  func upload() throws {
    let fixture = LuaFixture()
    let body =
      "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n12345\r\n--b\r\nContent-Disposition: form-data; "
      + "name=\"f\"; filename=\"x\"\r\nContent-Type: text/plain\r\n\r\n\r\n--b--\r\n"
    let context = fixture.request(
      "/", method: .post, headers: [("Host", "a"), ("Content-Type", "multipart/form-data; boundary=b")], body: body)
    let answers = try fixture.answers(
      """
      local form = assert(require("resty.upload"):new(3))
      local seen = {}
      for _ = 1, 20 do
        local kind, data = form:read()
        if not kind then seen[#seen + 1] = "failed " .. data break end
        seen[#seen + 1] = kind .. (type(data) == "table" and " " .. data[1] .. "|" .. data[2] or data and " " .. data or "")
        if kind == "eof" then break end
      end
      answer(unpack(seen))
      """, context)
    #expect(
      answers == [
        "\"header Content-Disposition|form-data; name=\"a\"\"", "\"body 123\"", "\"body 45\"", "\"part_end\"",
        "\"header Content-Disposition|form-data; name=\"f\"; filename=\"x\"\"", "\"header Content-Type|text/plain\"",
        "\"part_end\"", "\"eof\"",
      ])
    #expect(
      try LuaFixture().answers("answer(require('resty.upload'):new())") == ["nil", "\"no Content-Type header\""])
  }

  @Test("kong.concurrency runs a function alone and gives its results")
  func concurrency() throws {
    #expect(
      try LuaFixture(sandbox: .lax).answers(
        """
        local c = require "kong.concurrency"
        local a, b = c.with_coroutine_mutex({ name = "x" }, function() return 1, 2 end)
        local d, e = c.with_worker_mutex({ name = "x" }, function() return "done" end)
        local f, g = c.with_worker_mutex({ name = "x" }, function() error("oops", 0) end)
        local h = c.with_worker_mutex({ name = "x" }, function() return "again" end)
        answer(a, b, d, e, f, g, h, (pcall(c.with_worker_mutex, {}, function() end)))
        """) == ["1", "2", "\"done\"", "nil", "nil", "\"oops\"", "\"again\"", "false"])
  }

  @Test("libraries may be required by their names, and a chunk knows its own")
  func names() throws {
    #expect(
      try LuaFixture().answers(
        "answer(require('string').rep('a', 2), require('math').max(1, 2), (pcall(function() require('table').x = 1 end)))"
      )
        == ["\"aa\"", "2", "false"])
    let fixture = LuaFixture()
    let plugin = try fixture.plugin(
      "named",
      """
      local name = ({...})[1]:match("^kong%.plugins%.([^%.]+)%.handler$")
      return { PRIORITY = 1, VERSION = "1.0", access = function() kong.response.exit(200, name) end }
      """)
    let context = fixture.request()
    plugin.run(.access, context)
    #expect(context.earlyResponse?.text == "named")
    let schema = """
      local name = ({...})[1]:match("^kong%.plugins%.([^%.]+)")
      return { name = name, fields = { { config = { type = "record", fields = {} } } } }
      """
    let found = try LuaPluginInspector().inspect(
      name: "named", schema: schema,
      handler:
        "assert(({...})[1] == 'kong.plugins.named.handler') return { PRIORITY = 1, VERSION = '1', log = function() end }"
    )
    #expect(found.schema.name == "named")
    #expect(LuaPluginInspector().name(inSchema: schema, supposed: "folder") == "folder")
  }

  @Test("kong.db reads the running configuration")
  func database() throws {
    let fixture = LuaFixture(sandbox: .lax)
    let id = "11111111-2222-4333-8444-555555555555"
    fixture.loop.entities = EntityIndex(
      .init(
        entities: [
          "services": [["id": .string(id), "name": "orders", "host": "a"]],
          "consumers": [["id": .string(id), "username": "ann", "custom_id": "7"]],
          "plugins": [["id": .string(id), "name": "acl", "service": ["id": .string(id)], "route": nil]],
        ], hash: "", number: 1))
    #expect(
      try fixture.answers(
        """
        local id = "\(id)"
        local db = kong.db
        local key = db.plugins:cache_key("acl", nil, id)
        answer(db.services:select({ id = id }).host, db.services:select_by_name("orders").id == id,
          db.services:select_by_name("none"), db.consumers:select_by_custom_id("7").username,
          db.consumers:select_by_username("ann").custom_id, select(2, db.services:select({ id = "x" })),
          db.plugins:select_by_cache_key(key).name,
          db.consumers:cache_key(id):sub(1, -#kong.default_workspace - 1), (pcall(db.services.select, db.services)),
          db.services.insert)
        """) == [
          "\"a\"", "true", "nil", "\"ann\"", "\"7\"", "\"[sluice] schema violation (id: expected a valid UUID)\"",
          "\"acl\"", "\"consumers:\(id):::::\"", "false",
          "nil",
        ])
  }

  @Test("ngx.ctx knows the route and the consumer, unless a plugin says otherwise")
  func contextFields() throws {
    let fixture = LuaFixture()
    let context = fixture.request()
    context.consumer = ConsumerInfo(entity: ["id": "1", "username": "ann"])
    #expect(
      try fixture.answers(
        """
        local before = ngx.ctx.authenticated_consumer.username
        ngx.ctx.authenticated_consumer = { username = "bob" }
        ngx.ctx.own = 1
        local count = 0
        for _ in pairs(ngx.ctx) do count = count + 1 end
        answer(before, ngx.ctx.authenticated_consumer.username, ngx.ctx.own, ngx.ctx.service, ngx.ctx.other, count)
        """, context) == ["\"ann\"", "\"bob\"", "1", "nil", "nil", "2"])
  }
}
