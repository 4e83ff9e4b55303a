import EntityModel
import Testing

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

  @Test("other types, broken JSON and lists pass unchanged", arguments: [
    ("text/json", #"{"z":1}"#), ("text/plain", "text"), ("application/json", #"{"z":"#), ("application/json", "[1,2]"),
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

  @Test("Lua functions and impossible statuses are refused")
  func refusals() {
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(
        ResponseTransformer.advancedDefinition, ["transform": ["functions": ["return function(d) return d end"]]])
    }
    for field in ["json", "if_status"] {
      #expect(throws: SchemaViolations.self) {
        try PluginTestBed.validated(ResponseTransformer.advancedDefinition, ["transform": [field: ["200"]]])
      }
    }
    #expect(throws: SchemaViolations.self) {
      try PluginTestBed.validated(ResponseTransformer.advancedDefinition, ["add": ["if_status": ["20x"]]])
    }
  }
}
