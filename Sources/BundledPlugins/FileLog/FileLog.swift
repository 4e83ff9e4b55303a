import EntityModel
import Logging
import PluginKit

/// `file-log`: appends a line of JSON for each request to a file. Source: Kong fact, bundled-16 §13.
enum FileLog {
  static let definition = PluginDefinition.bundled(schema, phases: [.log], Implementation())

  static let schema = PluginSchema(
    "file-log", protocols: PluginFields.protocolsAny(), without: [PluginScope.consumerGroup],
    config: PluginFields.config([
      "path": FieldSchema.string.asRequired().checked(
        by: .match("^[^*&%%\\`]+$"),
        .custom("file_name") { value in
          guard let text = value.string, text.first == " " || text.last == " " else { return nil }
          return "not a valid filename"
        }
      ).failing(with: "not a valid filename").described("File that the lines are appended to; made if it is missing."),
      "reopen": PluginFields.flag(false, "Whether the file is opened anew for each line, as log rotation may need."),
      "custom_fields_by_lua": PluginFields.customFieldsByLua,
    ]))

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      guard let path = instance.config.text("path") else {
        throw PluginCompileError(plugin: instance.pluginName, reason: "config.path is missing")
      }
      context.services.lifetime.atEnd("file-log") { _ in await FileLogFile.flushAll() }
      return FileLogExecutor(
        file: FileLogFile.file(at: path), reopens: instance.config.flag("reopen"),
        customFields: try CustomLogFields(instance, context.services), pluginName: instance.pluginName,
        logger: context.logger)
    }
  }
}

struct FileLogExecutor: PluginExecutor {
  let phases = PhaseSet(.log)
  let file: FileLogFile
  let reopens: Bool
  let customFields: CustomLogFields
  let pluginName: String
  let logger: Logger

  func prepare(on loop: LoopServices) throws(PluginCompileError) { try customFields.prepare(on: loop) }

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    customFields.apply(to: context, plugin: pluginName, logger: logger)
    var line = context.serialized().serialized()
    line.append(UInt8(ascii: "\n"))
    file.append(line, reopens: reopens, logger: logger)
    return .finished
  }
}
