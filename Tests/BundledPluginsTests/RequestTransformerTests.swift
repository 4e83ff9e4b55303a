import EntityModel
import NIOCore
import Testing

@testable import BundledPlugins
@testable import PluginKit

@Suite("request-transformer")
struct RequestTransformerTests {
  @Test("headers are removed, renamed, replaced, added and appended in this order")
  func headers() throws {
    let bed = PluginTestBed(headers: [("X-O", "client"), ("X-P", "other"), ("Host", "h")])
    try bed.access(
      RequestTransformer.definition,
      [
        "remove": ["headers": ["X-O", "Host"]], "rename": ["headers": ["X-P:X-O"]],
        "replace": ["headers": ["X-O:replaced", "X-None:n", "host:up.test"]],
        "add": ["headers": ["X-O:added", "Host:no", "X-Url:http://a:1/"]], "append": ["headers": ["X-O:appended"]],
      ])
    #expect(bed.context.requestHeaders.values(of: "x-o") == ["replaced", "appended"])
    #expect(bed.header("x-url") == "http://a:1/")
    #expect(bed.header("x-none") == nil)
    #expect(bed.header("host") == "h")
    #expect(bed.context.upstream.hostHeader == "up.test")
  }

  @Test("a template of the header stage sees the headers before it, one of the body stage those after it")
  func stages() throws {
    let early = PluginTestBed(
      method: .post, headers: [("X-Gone", "1"), ("Content-Type", "application/json")], body: #"{"a":1}"#)
    let removing: JSONValue = ["headers": ["X-Gone"]]
    try early.access(
      RequestTransformer.definition,
      [
        "remove": removing,
        "add": ["headers": ["X-Copy:$(headers['x-gone'])"], "body": ["gone:$(headers['x-gone'] or 'removed')"]],
      ])
    #expect(early.header("x-copy") == "1")
    #expect(early.bodyText == #"{"a":1,"gone":"1"}"#)
    let late = PluginTestBed(
      method: .post, headers: [("X-Gone", "1"), ("Content-Type", "application/json")], body: #"{"a":1}"#)
    try late.access(
      RequestTransformer.definition,
      ["remove": removing, "add": ["body": ["gone:$(headers['x-gone'] or 'removed')"]]])
    #expect(late.bodyText == #"{"a":1,"gone":"removed"}"#)
  }

  @Test("a query that is touched is sorted and encoded anew, another stays byte for byte")
  func query() throws {
    let bed = PluginTestBed(target: "/p?z=a+b&tag[]=1&flag&gone=1")
    try bed.access(
      RequestTransformer.definition,
      ["remove": ["querystring": ["gone"]], "append": ["querystring": ["tag[]:2"]]])
    #expect(bed.query == "flag&tag%5B%5D=1&tag%5B%5D=2&z=a%20b")
    let untouched = PluginTestBed(target: "/p?z=a+b")
    try untouched.access(RequestTransformer.definition, ["add": ["headers": ["X-A:1"]]])
    #expect(untouched.query == nil)
  }

  @Test("fields of a form go to the query when the method has no body; body rules come afterwards")
  func method() throws {
    let bed = PluginTestBed(
      method: .post, target: "/?a=0", headers: [("Content-Type", "application/x-www-form-urlencoded")],
      body: "a=1&b=x+y", deliversLater: true)
    let outcome = try bed.access(
      RequestTransformer.definition, ["http_method": "GET", "replace": ["body": ["a:replaced"]]])
    guard case .suspended = outcome else {
      Issue.record("the plugin has to wait for the body")
      return
    }
    bed.deliverBody()
    #expect(bed.resumed.count == 1)
    #expect(bed.context.method == .get)
    #expect(bed.query == "a=0&a=1&b=x%20y")
    #expect(bed.bodyText == "a=replaced&b=x%20y")
  }

  @Test(
    "JSON bodies",
    arguments: [
      (#"{"r":"old","z":1}"#, #"{"a":"1","l":["x"],"r":"new","z":1}"#),
      (#"{"r":false,"a":false,"l":"s"}"#, #"{"a":"1","l":["s","x"],"r":false}"#),
      (#"{"old":false,"a":null,"l":[1]}"#, #"{"a":null,"l":[1,"x"],"old":false}"#),
      (#"{"old":null,"l":5}"#, #"{"a":"1","l":["x"],"new":null}"#),
      ("", #"{"a":"1","l":["x"]}"#), ("[1,2]", "[1,2]"), (#"{"broken"#, #"{"broken"#), ("5", "5"),
    ])
  func json(_ body: String, _ expected: String) throws {
    let bed = PluginTestBed(method: .post, headers: [("Content-Type", "APPLICATION/JSON; a=b")], body: body)
    try bed.access(
      RequestTransformer.definition,
      [
        "rename": ["body": ["old:new"]], "replace": ["body": ["r:new"]], "add": ["body": ["a:1"]],
        "append": ["body": ["l:x"]],
      ])
    #expect(bed.bodyText == expected)
  }

  @Test("a multipart body keeps what is not touched; a replaced part goes last")
  func multipart() throws {
    let body = """
      --xyz\r\nContent-Disposition: form-data; name="r"\r\n\r\nold\r\n--xyz\r\nContent-Disposition: form-data; \
      name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nline\r\n\r\n--xyz--\r\n
      """
    let bed = PluginTestBed(
      method: .post, headers: [("Content-Type", "multipart/form-data; boundary=xyz")], body: body)
    try bed.access(RequestTransformer.definition, ["replace": ["body": ["r:new"]]])
    #expect(
      bed.bodyText == """
        --xyz\r\nContent-Disposition: form-data; name="f"; filename="a.txt"\r\nContent-Type: text/plain\r\n\r\nline\
        \r\n\r\n--xyz\r\nContent-Disposition: form-data; name="r"\r\n\r\nnew\r\n--xyz--\r\n
        """)
  }

  @Test("the path is encoded where it has to be")
  func uri() throws {
    let bed = PluginTestBed(headers: [("X-Part", "p q")])
    try bed.access(RequestTransformer.definition, ["replace": ["uri": "/a b/é/c%20d/$(headers['x-part'])"]])
    #expect(String(decoding: bed.context.upstream.path, as: UTF8.self) == "/a%20b/%C3%A9/c%20d/p%20q")
  }

  @Test("a template that fails ends the request")
  func failure() throws {
    let outcome = try PluginTestBed().access(
      RequestTransformer.definition, ["add": ["headers": ["X:$(headers.a.b)"]]])
    guard case .failed = outcome else {
      Issue.record("the plugin has to fail")
      return
    }
  }

  @Test("line ends out of arguments never reach a header")
  func injection() throws {
    let bed = PluginTestBed(target: "/?x=a%0d%0aEvil:%201")
    try bed.access(RequestTransformer.definition, ["add": ["headers": ["X-A:$(query_params.x)"]]])
    #expect(bed.header("x-a") == "aEvil: 1")
  }

  @Test("a configuration that cannot work is refused")
  func refusals() {
    func fields(_ config: JSONValue) -> String {
      let error = #expect(throws: SchemaViolations.self) {
        try PluginTestBed.validated(RequestTransformer.definition, config)
      }
      return error.map { JSONValue.object($0.document).serializedString } ?? ""
    }
    #expect(fields(["add": ["headers": ["a:b", "novalue"]]]).contains("invalid value: novalue"))
    #expect(fields(["remove": ["headers": ["a b"]]]).contains("'a b' is not a valid header"))
    #expect(fields(["rename": ["querystring": ["a"]]]).contains("key 'a' has no value"))
    #expect(fields(["add": ["body": ["a:$(os.time())"]]]).contains("is not in supported format, error:'os'"))
    #expect(fields(["http_method": "g e t"]).contains("invalid value: g e t"))
  }

  @Test("the advanced plugin casts, navigates and keeps only what is allowed")
  func advanced() throws {
    let headers = [("Content-Type", "application/json")]
    let cast = PluginTestBed(method: .post, headers: headers, body: #"{"x":1,"y":2}"#)
    try cast.access(
      RequestTransformer.advancedDefinition,
      [
        "add": ["body": ["n:42", "t:true", "s:7"], "json_types": ["number", "boolean"]],
        "allow": ["body": ["n", "t", "s", "y"]],
      ])
    #expect(cast.bodyText == #"{"n":42,"s":"7","t":true,"y":2}"#)
    let nested = PluginTestBed(
      method: .post, headers: headers, body: #"{"a":{"b":1,"c":2},"l":[{"k":1,"m":1},{"k":2,"m":2}]}"#)
    try nested.access(
      RequestTransformer.advancedDefinition,
      [
        "dots_in_keys": false, "remove": ["body": ["a.b", "l[*].k"]], "replace": ["body": ["l[2].m:x"]],
        "add": ["body": ["p.q:new"]],
      ])
    #expect(nested.bodyText == #"{"a":{"c":2},"l":[{"m":1},{"m":"x"}],"p":{"q":"new"}}"#)
  }
}
