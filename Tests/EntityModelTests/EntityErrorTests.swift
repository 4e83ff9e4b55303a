import Testing

@testable import EntityModel

@Suite("Errors in Kong's words")
struct EntityErrorTests {
  @Test("messages name every violation, those of the whole first, then by field")
  func flattening() {
    let one = EntityError.schemaViolation(SchemaViolations(fields: ["host": "required field missing"]))
    #expect(one.message == "schema violation (host: required field missing)")
    #expect(one.document["code"] == 2 && one.document["name"] == "schema violation" && one.httpStatus == 400)
    let several = EntityError.schemaViolation(
      SchemaViolations(fields: ["b": ["c": "y"], "a": "x", "t": [nil, "z"]], entity: ["whole"]))
    #expect(several.message == "4 schema violations (whole; a: x; b.c: y; t.2: z)")
    #expect(several.document["fields"]?["@entity"] == ["whole"])
  }

  @Test("deeper violations are shown as Lua tables")
  func deepTables() {
    func message(_ fields: [String: JSONValue]) -> String {
      EntityError.schemaViolation(SchemaViolations(fields: fields)).message
    }
    #expect(
      message(["config": ["add": ["headers": ["bad"]]]])
        == "schema violation (config.add: {\n  headers = {\n    \"bad\"\n  }\n})")
    #expect(
      message(["config": ["allow": [nil, "x", "y"]]])
        == "schema violation (config.allow: {\n  [2] = \"x\",\n  [3] = \"y\"\n})")
    #expect(
      message(["config": ["q": ["foo": "unknown field", "a-b": "x", "end": "y"]]])
        == "schema violation (config.q: {\n  [\"a-b\"] = \"x\",\n  [\"end\"] = \"y\",\n  foo = \"unknown field\"\n})")
    #expect(
      message(["config": ["access": ["a \"b\" \\"]]])
        == "schema violation (config.access: {\n  \"a \\\"b\\\" \\\\\"\n})")
    #expect(
      message(["config": ["access": ["a\nb]]"]]]) == "schema violation (config.access: {\n  [=[a\nb]]]=]\n})")
  }

  @Test("keys are shown as compact Lua tables")
  func keys() {
    let id = "99999999-9999-4999-8999-999999999999"
    #expect(EntityError.unique(fields: ["name": "x"]).message == "UNIQUE violation detected on '{name=\"x\"}'")
    #expect(
      EntityError.unique(fields: ["name": "x", "route": nil, "consumer": ["id": "1"]]).message
        == "UNIQUE violation detected on '{consumer={id=\"1\"},name=\"x\",route=null}'")
    #expect(EntityError.unique(fields: [:]).httpStatus == 409)
    #expect(
      EntityError.notFound(id: id).message == "could not find the entity with primary key '{id=\"\(id)\"}'")
    #expect(
      EntityError.notFound(field: "name", value: "missing").message
        == "could not find the entity with '{name=\"missing\"}'")
    #expect(EntityError.primaryKeyViolation(id: id).message == "primary key violation on key '{id=\"\(id)\"}'")
    #expect(
      EntityError.foreignKeyViolation(field: "service", id: id, collection: "services").message
        == "the foreign key '{id=\"\(id)\"}' does not reference an existing 'services' entity.")
    let referenced = EntityError.referencedBy("routes", collection: "services")
    #expect(referenced.message == "an existing 'routes' entity references this 'services' entity")
    #expect(referenced.document["fields"] == ["@referenced_by": "routes"])
    #expect(
      EntityError.unresolvedForeignKey(field: "service", key: ["name": "x"], collection: "services").message
        == "foreign key unresolved (service.name: the foreign key cannot be resolved with '{name=\"x\"}' for an "
        + "existing 'services' entity)")
    #expect(EntityError.invalidPrimaryKey().document["fields"] == ["id": "expected a valid UUID"])
  }

  @Test("errors of lists have options or no fields")
  func lists() {
    #expect(
      EntityError.invalidOptions(["tags": "invalid filter syntax"]).document == [
        "code": 11, "name": "invalid options", "message": "invalid option (tags: invalid filter syntax)",
        "options": ["tags": "invalid filter syntax"],
      ])
    #expect(
      EntityError.invalidSize(isNumber: false).document
        == ["code": 9, "name": "invalid size", "message": "size must be a number"])
    #expect(EntityError.invalidOffset("x").message == "'x' is not a valid offset: bad base64 encoding")
    #expect(
      EntityError.invalidUnique(field: "name", reason: "bad").document
        == ["code": 10, "name": "invalid unique name", "message": "bad"])
    let unsupported = EntityError.operationUnsupported(verb: "create", collection: "services")
    #expect(unsupported.message == "cannot create 'services' entities when not using a database")
    #expect(unsupported.httpStatus == 405)
  }
}
