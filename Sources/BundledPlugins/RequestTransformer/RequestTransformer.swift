import EntityModel
import PluginKit

/// `request-transformer` and `request-transformer-advanced`. Source: Kong fact, bundled-16 §8 and §9.
enum RequestTransformer {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())
  static let advancedDefinition = PluginDefinition.bundled(advancedSchema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "request-transformer", protocols: PluginFields.protocolsAny(),
    config: PluginFields.config([
      "http_method": httpMethod,
      "remove": section("Taken away", [
        "body": TransformerFields.list(TransformerFields.name), "headers": TransformerFields.list(headerName),
        "querystring": TransformerFields.list(TransformerFields.name),
      ]),
      "rename": section("Given another name, as old:new", renamed(isReferenceable: false)),
      "replace": section("Given another value where they are present, as name:value", replaced(isAdvanced: false)),
      "add": section("Added where they are absent, as name:value", changed(isAdvanced: false)),
      "append": section("Added beside what is there, as name:value", changed(isAdvanced: false)),
    ]))

  static let advancedSchema = PluginSchema(
    "request-transformer-advanced", protocols: PluginFields.protocolsHTTP,
    config: PluginFields.config([
      "http_method": httpMethod,
      "remove": section("Taken away", [
        "body": TransformerFields.list(TransformerFields.name), "headers": TransformerFields.list(headerName),
        "querystring": TransformerFields.list(TransformerFields.name),
      ]),
      "rename": section("Given another name, as old:new", renamed(isReferenceable: true)),
      "replace": section("Given another value where they are present, as name:value", replaced(isAdvanced: true)),
      "add": section("Added where they are absent, as name:value", changed(isAdvanced: true)),
      "append": section("Added beside what is there, as name:value", changed(isAdvanced: true)),
      "allow": section("Left in the end", [
        "body": .array(of: .string).described("The only top-level parameters of the body that are left.")
      ]),
      "dots_in_keys": PluginFields.flag(true, "Whether dots in names of body parameters belong to the name."),
    ]))

  private static let httpMethod = CommonFields.httpMethod.described("Method of the request to the upstream.")

  private static func section(_ description: String, _ fields: KeyValuePairs<String, FieldSchema>) -> FieldSchema {
    FieldSchema.record(RecordSchema(fields)).asRequired().described(description + ".")
  }

  private static func referenceable(_ field: FieldSchema, _ isReferenceable: Bool) -> FieldSchema {
    isReferenceable ? field.asReferenceable() : field
  }

  private static let headerName = FieldSchema.string.checked(
    by: .custom("header_name_entry") { TransformerFields.headerViolation($0, checksValue: false) })

  private static func renamed(isReferenceable: Bool) -> KeyValuePairs<String, FieldSchema> {
    let header = FieldSchema.string.checked(
      by: .match("^[^:]+:.*$"),
      .custom("header_rename") { TransformerFields.headerViolation($0, checksValue: true) })
    let renaming = pair.checked(
      by: .custom("new_name") { value in
        guard let entry = value.string.flatMap({ NamedValue($0) }), entry.value == nil else { return nil }
        return "key '\(entry.name)' has no value"
      })
    return [
      "body": TransformerFields.list(referenceable(renaming, isReferenceable)),
      "headers": TransformerFields.list(referenceable(header, isReferenceable)),
      "querystring": TransformerFields.list(referenceable(renaming, isReferenceable)),
    ]
  }

  private static let pair = FieldSchema.string.checked(by: .custom("template_entry", templateViolation))

  private static func header(_ isReferenceable: Bool) -> FieldSchema {
    referenceable(
      .string.checked(
        by: .match("^[^:]+:.*$"),
        .custom("header_template_entry") {
          TransformerFields.headerViolation($0, checksValue: false) ?? templateViolation($0)
        }), isReferenceable)
  }

  private static func changed(isAdvanced: Bool) -> KeyValuePairs<String, FieldSchema> {
    let body = TransformerFields.list(referenceable(pair, isAdvanced))
    let headers = TransformerFields.list(header(isAdvanced))
    let query = TransformerFields.list(referenceable(pair, isAdvanced))
    if !isAdvanced { return ["body": body, "headers": headers, "querystring": query] }
    return ["body": body, "json_types": TransformerFields.jsonTypes, "headers": headers, "querystring": query]
  }

  private static func replaced(isAdvanced: Bool) -> KeyValuePairs<String, FieldSchema> {
    let body = TransformerFields.list(referenceable(pair, isAdvanced))
    let headers = TransformerFields.list(header(isAdvanced))
    let query = TransformerFields.list(referenceable(pair, isAdvanced))
    let uri = FieldSchema.string.checked(
      by: .custom("uri_template") { value in value.string.flatMap { templateFailure($0) } }
    ).described("Path of the request to the upstream.")
    if !isAdvanced { return ["body": body, "headers": headers, "querystring": query, "uri": uri] }
    return [
      "body": body, "json_types": TransformerFields.jsonTypes, "headers": headers, "querystring": query, "uri": uri,
    ]
  }

  private static func templateViolation(_ value: JSONValue) -> String? {
    guard let text = value.string, let entry = NamedValue(text) else { return "invalid value: \(value.string ?? "")" }
    return entry.value.flatMap { templateFailure($0) }
  }

  private static func templateFailure(_ text: String) -> String? {
    do {
      _ = try RequestTemplate(text)
      return nil
    } catch {
      return "value '\(text)' is not in supported format, error:\(error)"
    }
  }

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      RequestTransformerExecutor(
        transformation: try RequestTransformation(instance), pluginName: instance.pluginName, logger: context.logger)
    }
  }
}

/// Fields that the schemas of the transformers share.
enum TransformerFields {
  static let name = FieldSchema.string

  static func list(_ element: FieldSchema) -> FieldSchema {
    FieldSchema.array(of: element).asRequired().defaulting(to: .array([]))
  }

  static let jsonTypes = list(.string.checked(by: .oneOf(["boolean", "number", "string"])))
    .described("Types of the values, by their place in the list; strings where none is given.")

  /// Whether the name of an entry can be that of a header, and its value if that is a new name.
  static func headerViolation(_ value: JSONValue, checksValue: Bool) -> String? {
    guard let text = value.string else { return nil }
    guard let entry = NamedValue(text) else { return "'nil' is not a valid header" }
    if ValueChecks.headerName(.string(entry.name)) != nil { return "'\(entry.name)' is not a valid header" }
    guard checksValue else { return nil }
    let newName = entry.value ?? ""
    guard newName.isEmpty || ValueChecks.headerName(.string(newName)) != nil else { return nil }
    return "'\(newName)' is not a valid header"
  }
}
