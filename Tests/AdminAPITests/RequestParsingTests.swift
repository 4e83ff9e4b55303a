import EntityModel
import Testing

@testable import AdminAPI

@Suite("Requests: queries, forms, multipart, JSON")
struct RequestParsingTests {
  private func form(_ text: String) throws -> FormTree {
    try FormTree(QueryArguments(parsing: text, source: "form"))
  }

  private func inferred(_ text: String, _ schema: RecordSchema, config: FieldSchema? = nil) throws -> JSONValue {
    .object(FormInference(schema: schema, abstractSchema: config).fields(of: try form(text)))
  }

  private static func field(_ kind: FieldSchema.Kind) -> FieldSchema { FieldSchema(kind) }

  private static let schema: RecordSchema = {
    var config = field(.record(RecordSchema([])))
    config.isAbstract = true
    return RecordSchema(
      [
        .init("name", field(.string)), .init("port", field(.integer)), .init("ratio", field(.number)),
        .init("enabled", field(.boolean)), .init("tags", field(.set(field(.string)))),
        .init("headers", field(.map(keys: field(.string), values: field(.array(field(.string)))))),
        .init(
          "sources",
          field(.array(field(.record(RecordSchema([.init("ip", field(.string)), .init("port", field(.integer))])))))),
        .init("service", field(.foreign("services"))), .init("config", config),
      ],
      shorthandFields: [ShorthandField(name: "url", schema: field(.string)) { _ in [:] }])
  }()

  @Test("a form's values get the types that the schema asks for")
  func typesOfForms() throws {
    #expect(
      try inferred("name=5&port=80&ratio=0.5&enabled=true", Self.schema)
        == ["name": "5", "port": 80, "ratio": 0.5, "enabled": true])
    #expect(try inferred("port=abc&enabled=maybe", Self.schema) == ["port": "abc", "enabled": "maybe"])
    #expect(try inferred("url=http%3A%2F%2Fa&other=1", Self.schema) == ["url": "http://a", "other": "1"])
  }

  @Test("an empty value is null, a name without a value is true")
  func emptyValues() throws {
    #expect(try inferred("name=&port=&tags=", Self.schema) == ["name": nil, "port": nil, "tags": nil])
    #expect(try inferred("name", Self.schema) == ["name": true])
  }

  @Test(
    "arrays: appended, numbered, repeated or one bare value; a comma separates nothing",
    arguments: [
      ("tags[]=a&tags[]=b", ["a", "b"]), ("tags[2]=b&tags[1]=a", ["a", "b"]), ("tags=a&tags=b", ["a", "b"]),
      ("tags=one", ["one"]), ("tags=a,b", ["a,b"]), ("tags%5B%5D=a+b%20c", ["a b c"]),
    ] as [(String, [String])])
  func arrays(text: String, tags: [String]) throws {
    #expect(try inferred(text, Self.schema) == ["tags": .array(tags.map(JSONValue.string))])
  }

  @Test("maps, records in arrays and references nest by dots and brackets")
  func nesting() throws {
    #expect(
      try inferred("headers.x-a=1&headers.x-b[]=2&headers.x-b[]=3", Self.schema)
        == ["headers": ["x-a": ["1"], "x-b": ["2", "3"]]])
    #expect(try inferred("headers[x]=1", Self.schema) == ["headers": ["x": ["1"]]])
    #expect(
      try inferred("sources[1].ip=10.0.0.1&sources[1].port=80&sources[2].ip=::1", Self.schema)
        == ["sources": [["ip": "10.0.0.1", "port": 80], ["ip": "::1"]]])
    #expect(try inferred("service.name=svc", Self.schema) == ["service": ["name": "svc"]])
  }

  @Test("a plugin's configuration follows the plugin's schema, and is text where there is none")
  func abstractField() throws {
    let config = Self.field(.record(RecordSchema([.init("minute", Self.field(.number))])))
    #expect(try inferred("config.minute=5", Self.schema, config: config) == ["config": ["minute": 5]])
    #expect(try inferred("config.minute=5", Self.schema) == ["config": ["minute": "5"]])
  }

  @Test("a number that no JSON has stays text")
  func oddNumbers() throws {
    for text in ["nan", "inf", "1e999", "0x10", "1__0", ""] {
      let value = try inferred("ratio=\(text)", Self.schema)
      #expect(value["ratio"] == (text.isEmpty ? .null : .string(text)))
    }
    #expect(try inferred("ratio=99999999999999999999", Self.schema)["ratio"] == .number(1e20))
  }

  @Test("a form of a thousand arguments is read, of more refused; deep and broken names do no harm")
  func limits() throws {
    let many = (1...1000).map { "a\($0)=1" }.joined(separator: "&")
    #expect(try QueryArguments(parsing: many, source: "form").arguments.count == 1000)
    #expect(throws: AdminRefusal.tooManyArguments) { try QueryArguments(parsing: many + "&b=1", source: "form") }
    #expect(throws: AdminRefusal.self) {
      try form(String(repeating: "a.", count: 100_000) + "b=1")
    }
    #expect(try form("a[=1")["a["]?.text == "1")
    #expect(try form("[]=1").appended.count == 1)
    #expect(try form("...=1").children.count == 1)
  }

  @Test("bytes that are not UTF-8 are refused with the name of the argument")
  func invalidUTF8() {
    #expect(throws: AdminRefusal.message(400, "the value of argument 'a' of the query is not valid UTF-8")) {
      try QueryArguments(parsing: "a=%ff", source: "query")
    }
  }

  @Test("odd escapes stay as they are written")
  func oddEscapes() {
    #expect(PercentCoding.decode("a%zz%4", plusAsSpace: true) == "a%zz%4")
    #expect(PercentCoding.decode("%C5%BC+%2f", plusAsSpace: false) == "ż+/")
    #expect(PercentCoding.encode("a b/ż") == "a%20b%2F%C5%BC")
  }

  @Test("multipart parts become form fields; a JSON part is read as JSON")
  func multipart() throws {
    let body = """
      --X Y\r\nContent-Disposition: form-data; name="username"\r\n\r\nmulti\r\n--X Y\r
      Content-Disposition: form-data; name="tags[1]"; filename="a;b"\r\n\r\nline\r\nline\r\n--X Y\r
      content-type: application/json; charset=utf-8\r\nContent-Disposition: form-data; name=config\r\n\r
      {"a": [1]}\r\n--X Y--\r\n
      """
    let parsed = try RequestBody(
      parsing: Array(body.utf8), contentTypes: ["multipart/form-data; boundary=\"X Y\""], acceptsDocuments: false)
    #expect(
      try parsed.fields(FormInference())
        == ["username": "multi", "tags": ["line\r\nline"], "config": ["a": [1]]])
  }

  @Test(
    "broken multipart bodies are refused",
    arguments: [
      "", "--X", "--X\r\n", "--X\r\n\r\nx", "--X\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nvalue",
      "--X\r\nContent-Disposition: form-data\r\n\r\nvalue\r\n--X--", "nothing at all", "--Xjunk",
    ])
  func brokenMultipart(body: String) {
    #expect {
      try RequestBody(
        parsing: Array(body.utf8), contentTypes: ["multipart/form-data; boundary=X"], acceptsDocuments: false)
    } throws: { ($0 as? AdminRefusal)?.status == 400 }
  }

  @Test("a multipart body needs a boundary")
  func missingBoundary() {
    #expect {
      try RequestBody(parsing: Array("--X--".utf8), contentTypes: ["multipart/form-data"], acceptsDocuments: false)
    } throws: { ($0 as? AdminRefusal)?.status == 400 }
  }

  @Test("content types: JSON by prefix, nothing without a body, 415 for the rest")
  func contentTypes() throws {
    func read(_ body: String, _ type: String?, documents: Bool = false) throws -> RequestBody {
      try RequestBody(parsing: Array(body.utf8), contentTypes: type.map { [$0] } ?? [], acceptsDocuments: documents)
    }
    #expect(try read("{\"a\":1}", "application/json; charset=utf-8").fields(FormInference()) == ["a": 1])
    #expect(try read("", nil).fields(FormInference()).isEmpty)
    #expect(try read("[]", "APPLICATION/JSON").fields(FormInference()).isEmpty)
    for (body, type) in [("x", nil), ("x", "text/plain"), ("a: 1", "application/yaml"), ("<a/>", "application/xml")] {
      #expect { try read(body, type) } throws: { ($0 as? AdminRefusal)?.status == 415 }
    }
    guard case .document("a: 1") = try read("a: 1", "text/yaml", documents: true) else {
      Issue.record("YAML is not read as a document")
      return
    }
  }

  @Test(
    "JSON that is no object is refused and named",
    arguments: ["null": "null", "5": "a number", "\"x\"": "a string", "true": "a boolean", "[1]": "an array"])
  func otherJSON(text: String, kind: String) throws {
    let body = try RequestBody(
      parsing: Array(text.utf8), contentTypes: ["application/json"], acceptsDocuments: false)
    #expect(throws: AdminRefusal.message(400, "the JSON body must be an object, not \(kind)")) {
      try body.fields(FormInference())
    }
  }

  @Test("JSON that cannot be read is refused with the place of the mistake")
  func brokenJSON() {
    #expect {
      try RequestBody(parsing: Array("{\"host\": ".utf8), contentTypes: ["application/json"], acceptsDocuments: false)
    } throws: { error in
      let document = (error as? AdminRefusal)?.document
      return document?["message"] == "Cannot parse JSON body"
        && document?["reason"]?.string?.contains("byte 10") == true
    }
  }
}
