import EntityModel
import PluginKit

/// `response-transformer` and `response-transformer-advanced`. Source: Kong fact, bundled-16 §10 and §11.
enum ResponseTransformer {
  static let definition = PluginDefinition.bundled(schema, phases: [.headerFilter, .bodyFilter], Implementation())
  static let advancedDefinition = PluginDefinition.bundled(
    advancedSchema, phases: [.headerFilter, .bodyFilter], Implementation(isAdvanced: true))

  static let schema = PluginSchema(
    "response-transformer", protocols: PluginFields.protocolsHTTP,
    config: PluginFields.config([
      "remove": section("Taken away", ["json": names, "headers": removedHeaders]),
      "rename": section("Given another name, as old:new", ["json": pairs, "headers": renamedHeaders]),
      "replace": section("Given another value where they are present, as name:value", [
        "json": pairs, "json_types": TransformerFields.jsonTypes, "headers": headers,
      ]),
      "add": section("Added where they are absent, as name:value", [
        "json": pairs, "json_types": TransformerFields.jsonTypes, "headers": headers,
      ]),
      "append": section("Added beside what is there, as name:value", [
        "json": pairs, "json_types": TransformerFields.jsonTypes, "headers": headers,
      ]),
    ]))

  static let advancedSchema = PluginSchema(
    "response-transformer-advanced", protocols: PluginFields.protocolsHTTP,
    config: PluginFields.config([
      "remove": section("Taken away", ["json": names, "headers": removedHeaders, "if_status": statuses]),
      "rename": section("Given another name, as old:new", ["headers": renamedHeaders, "if_status": statuses]),
      "replace": section("Given another value where they are present, as name:value", [
        "body": .string.described("Takes the place of the whole body."), "json": pairs,
        "json_types": TransformerFields.jsonTypes, "headers": headers, "if_status": statuses,
      ]),
      "add": section("Added where they are absent, as name:value", [
        "json": pairs, "json_types": TransformerFields.jsonTypes, "headers": headers, "if_status": statuses,
      ]),
      "append": section("Added beside what is there, as name:value", [
        "json": pairs, "json_types": TransformerFields.jsonTypes, "headers": headers, "if_status": statuses,
      ]),
      "allow": section("Left in the end", [
        "json": .array(of: .string).described("The only top-level members of the body that are left.")
      ]),
      "transform": section("Changed by Lua functions", [
        "functions": TransformerFields.list(
          .string.checked(
            by: .custom("lua_function") { value in
              value.string.flatMap { LuaSyntax.problem(of: $0) }.map { "Error parsing function: \($0)" }
            })
        ).described("Lua texts that return a function, which is called with the body and returns the new one."),
        "json": names.described("Members whose values the functions are called with, in place of the whole body."),
        "if_status": statuses,
      ]),
      "dots_in_keys": PluginFields.flag(true, "Whether dots in names of JSON members belong to the name."),
    ]))

  private static func section(_ description: String, _ fields: KeyValuePairs<String, FieldSchema>) -> FieldSchema {
    FieldSchema.record(RecordSchema(fields)).asRequired().described(description + ".")
  }

  private static let names = TransformerFields.list(.string)
  private static let pairs = TransformerFields.list(.string.checked(by: .match("^[^:]+:.*$")))
  private static let removedHeaders = TransformerFields.list(
    .string.checked(
      by: .custom("header_name_entry") { TransformerFields.headerViolation($0, checksValue: false) }))
  private static let renamedHeaders = TransformerFields.list(
    .string.checked(
      by: .match("^[^:]+:.*$"),
      .custom("header_rename") { TransformerFields.headerViolation($0, checksValue: true) }))
  private static let headers = TransformerFields.list(
    .string.checked(
      by: .match("^[^:]+:.*$"),
      .custom("header_entry") { TransformerFields.headerViolation($0, checksValue: false) }))
  private static let statuses = TransformerFields.list(
    .string.checked(
      by: .custom("status_range") { value in
        guard let text = value.string, ResponseTransformation.Statuses([text]) == nil else { return nil }
        return "'\(text)' is neither a status nor a range of statuses such as 201-204"
      })
  ).described("Statuses, or ranges such as 201-204, for which the section counts; all if empty.")

  struct Implementation: SnapshotAwarePluginImplementation {
    var isAdvanced = false

    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      ResponseTransformerExecutor(
        try ResponseTransformation(instance, context.services, opensGzip: isAdvanced), pluginName: instance.pluginName,
        logger: context.logger)
    }
  }
}
