import EntityModel
import NIOCore
import Testing
import Zlib

@testable import BundledPlugins
@testable import PluginKit

@Suite("response-transformer")
struct ResponseTransformerTests {
  private func response(_ headers: [(String, String)], status: Int = 200) -> PluginTestBed {
    let bed = PluginTestBed()
    bed.context.response.status = status
    for (name, value) in headers { bed.context.response.headers.add(name, value) }
    return bed
  }

  @Test("presence of headers is judged on those that the upstream sent")
  func snapshot() throws {
    let bed = response([("X-O", "upstream"), ("X-Old", "1"), ("X-Old", "2"), ("X-New", "3")])
    let executor = try PluginTestBed.executor(
      ResponseTransformer.definition,
      [
        "remove": ["headers": ["X-O:whatever"]], "rename": ["headers": ["X-Old:X-New"]],
        "replace": ["headers": ["X-O:replaced", "X-Absent:no"]],
        "add": ["headers": ["X-O:added", "X-Add:1", "X-Add:2"]],
        "append": ["headers": ["X-App:a"]],
      ])
    #expect(!executor.phases.contains(.bodyFilter))
    _ = bed.filter(executor, [])
    let headers = bed.context.response.headers
    #expect(headers.values(of: "x-o") == ["replaced"])
    #expect(headers.values(of: "x-new") == ["1", "2"])
    #expect(headers.values(of: "x-old").isEmpty)
    #expect(headers.values(of: "x-add") == ["2"])
    #expect(headers.values(of: "x-app") == ["a"])
    #expect(headers.values(of: "x-absent").isEmpty)
  }

  @Test("a JSON body in pieces is collected and changed; its length is not announced")
  func json() throws {
    let bed = response([("Content-Type", "application/problem+json; charset=utf-8"), ("Content-Length", "20")])
    let executor = try PluginTestBed.executor(
      ResponseTransformer.definition,
      [
        "remove": ["json": ["gone"]], "rename": ["json": ["old:new"]], "replace": ["json": ["r:x"]],
        "add": ["json": ["n:1e2", "t:true", "bad:abc"], "json_types": ["number", "boolean", "number"]],
        "append": ["json": ["l:y"]],
      ])
    let body = bed.filter(executor, [#"{"gone":1,"old":fal"#, #"se,"r":null,"#, #""l":"a"}"#])
    #expect(body == #"{"l":["a","y"],"n":100,"new":false,"r":"x","t":true}"#)
    #expect(bed.context.response.headers.first("content-length") == nil)
  }

  @Test(
    "other types, broken JSON and lists pass unchanged",
    arguments: [
      ("text/json", #"{"z":1}"#), ("text/plain", "text"), ("application/json", #"{"z":"#),
      ("application/json", "[1,2]"),
      ("application/json", ""), ("application/json", "7"),
    ])
  func unchanged(_ type: String, _ body: String) throws {
    let bed = response([("Content-Type", type)])
    let executor = try PluginTestBed.executor(ResponseTransformer.definition, ["add": ["json": ["p:1"]]])
    #expect(bed.filter(executor, [body, ""]) == body)
  }

  @Test("sections of the advanced plugin count for their statuses")
  func statuses() throws {
    let config: JSONValue = [
      "replace": ["body": "gone", "if_status": ["500-599", "404"]],
      "add": ["headers": ["X-A:1"], "if_status": ["201-204"]], "allow": ["json": ["k"]],
    ]
    let executor = try PluginTestBed.executor(ResponseTransformer.advancedDefinition, config)
    let failed = response([("Content-Type", "text/plain")], status: 503)
    #expect(failed.filter(executor, ["text"]) == "gone")
    #expect(failed.context.response.headers.first("x-a") == nil)
    let created = response([("Content-Type", "application/json")], status: 202)
    #expect(created.filter(executor, [#"{"k":1,"other":2}"#]) == #"{"k":1}"#)
    #expect(created.context.response.headers.first("x-a") == "1")
  }

  private func transform(
    _ transform: JSONValue, _ body: String, status: Int = 200, log: RecordingLog = RecordingLog(),
    further: [String: JSONValue] = [:]
  ) throws -> String {
    let bed = response([("Content-Type", "application/json")], status: status)
    bed.context.phase = .bodyFilter
    let executor = try PluginTestBed.executor(
      ResponseTransformer.advancedDefinition,
      .object(further.merging(["transform": transform]) { $1 }), logger: log.logger)
    return bed.filter(executor, [body, ""])
  }

  @Test("Lua functions change the body one after the other, after the other rules and before allow")
  func functions() throws {
    let result = try transform(
      [
        "functions": [
          "return function (data) data.foo = nil data.seen = data.added data.list[2] = 'x' return data end",
          "return function (data) data.sum = #data.list + data.number return data end",
        ]
      ], #"{"foo":1,"list":["a"],"empty":[],"none":null,"number":2.5}"#,
      further: ["add": ["json": ["added:yes"]], "allow": ["json": ["seen", "list", "sum", "empty", "none"]]])
    #expect(result == #"{"empty":[],"list":["a","x"],"none":null,"seen":"yes","sum":4.5}"#)
  }

  @Test("with members named, functions get their values in place of the body; nil takes a member away")
  func functionsOnMembers() throws {
    let shout = "return function (data) if data == 'drop' then return nil end return string.upper(data) end"
    #expect(
      try transform(["functions": [.string(shout)], "json": ["a", "c", "absent"]], #"{"a":"x","b":"y","c":"drop"}"#)
        == #"{"a":"X","b":"y"}"#)
    #expect(
      try transform(
        ["functions": [.string(shout)], "json": ["list[*].name"]], #"{"list":[{"name":"x"},{"name":"y"}]}"#,
        further: ["dots_in_keys": false]) == #"{"list":[{"name":"X"},{"name":"Y"}]}"#)
  }

  @Test("functions count for their statuses, and see the request")
  func functionStatuses() throws {
    let config: JSONValue = [
      "functions": ["return function (data) data.method = kong.request.get_method() return data end"],
      "if_status": ["500-599"],
    ]
    #expect(try transform(config, #"{"a":1}"#) == #"{"a":1}"#)
    #expect(try transform(config, #"{"a":1}"#, status: 503) == #"{"a":1,"method":"GET"}"#)
  }

  @Test("a function keeps what it remembers from one body to the next, and functions share no globals")
  func functionState() throws {
    let executor = try PluginTestBed.executor(
      ResponseTransformer.advancedDefinition,
      [
        "transform": [
          "functions": [
            "shared = 1 local n = 0 return function (data) n = n + 1 data.n = n return data end",
            "return function (data) data.shared = shared == nil return data end",
          ]
        ]
      ])
    let loop = PluginTestBed.loopServices()
    var results: [String] = []
    for _ in 0..<2 {
      let bed = PluginTestBed(loop: loop)
      bed.context.phase = .bodyFilter
      bed.context.response.status = 200
      bed.context.response.headers.add("Content-Type", "application/json")
      results.append(bed.filter(executor, ["{}", ""]))
    }
    #expect(results == [#"{"n":1,"shared":true}"#, #"{"n":2,"shared":true}"#])
  }

  @Test(
    "a function that fails, never ends, returns no data or is none leaves the body as it was, with a line in the log",
    arguments: [
      "return function (data) error('no') end", "return function (data) while true do end end",
      "return function (data) return print end", "return function (data) end", "return 7",
      "return function (data) return kong.response.exit(200) end",
    ])
  func failingFunction(_ text: String) throws {
    let log = RecordingLog()
    #expect(try transform(["functions": [.string(text)]], #"{"a": 1}"#, log: log) == #"{"a": 1}"#)
    #expect(log.errors.count == 1)
  }

  @Test("a compressed body is opened, changed and compressed again; one that is broken passes unchanged")
  func compressed() throws {
    let executor = try PluginTestBed.executor(
      ResponseTransformer.advancedDefinition, ["add": ["json": ["added:yes"]]])
    let packed = ByteBuffer(bytes: try Gzip.compress(Array(#"{"a":1}"#.utf8)))
    func filtered(_ body: ByteBuffer, _ executor: any PluginExecutor) -> ByteBuffer {
      let bed = response([("Content-Type", "application/json"), ("Content-Encoding", "gzip")])
      _ = executor.run(.headerFilter, bed.context)
      bed.context.response.chunk = body
      bed.context.response.isLastChunk = true
      _ = executor.run(.bodyFilter, bed.context)
      return bed.context.response.chunk ?? ByteBuffer()
    }
    let changed = try Gzip.inflate(Array(buffer: filtered(packed, executor)), limit: 1000)
    #expect(String(decoding: changed, as: UTF8.self) == #"{"a":1,"added":"yes"}"#)
    let broken = ByteBuffer(string: "no gzip")
    #expect(filtered(broken, executor) == broken)
    let replacing = try PluginTestBed.executor(ResponseTransformer.advancedDefinition, ["replace": ["body": "new"]])
    #expect(try Gzip.inflate(Array(buffer: filtered(packed, replacing)), limit: 1000) == Array("new".utf8))
    let plain = try PluginTestBed.executor(ResponseTransformer.definition, ["add": ["json": ["added:yes"]]])
    #expect(filtered(packed, plain) == packed)
  }

  @Test("Lua that does not compile and impossible statuses are refused")
  func refusals() {
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(ResponseTransformer.advancedDefinition, ["transform": ["functions": ["return ("]]])
    }
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(ResponseTransformer.advancedDefinition, ["transform": ["if_status": ["abc"]]])
    }
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(ResponseTransformer.advancedDefinition, ["add": ["if_status": ["20x"]]])
    }
  }
}
