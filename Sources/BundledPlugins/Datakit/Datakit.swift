import EntityModel
import PluginKit

/// `datakit`: a graph of nodes that read the request, call other servers, transform and decide.
///
/// The graph is checked when an instance is saved, and becomes a plan of indexes when a snapshot is compiled. Source:
/// Kong fact, bundled-16 §7.
enum Datakit {
  static let definition = PluginDefinition.bundled(schema, phases: [.access, .response], Implementation())

  static let schema = PluginSchema(
    "datakit", protocols: PluginFields.protocolsHTTP,
    config: PluginFields.config([
      "nodes": FieldSchema.array(of: FieldSchema(.variant(DatakitSchema.nodes))).asRequired()
        .checked(by: .lengthAtLeast(1), .lengthAtMost(DatakitGraph.maximumNodes))
        .described("The nodes. Their connections alone decide when each of them runs."),
      "resources": DatakitSchema.resources,
      "debug": PluginFields.flag(
        false, "Whether clients are told what went wrong, and get a trace of the nodes when they ask for it."),
    ]),
    checks: [.custom(fieldSources: ["config.nodes", "config.resources"], violations)])

  /// Everything wrong with the graph of an instance whose fields are good one by one.
  @Sendable private static func violations(_ entity: [String: JSONValue]) -> SchemaViolations? {
    guard let config = entity["config"], config["nodes"]?.array != nil else { return nil }
    do {
      _ = try DatakitGraph(config: config)
      return nil
    } catch {
      return error.violations
    }
  }

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      let plan: DatakitPlan
      do {
        plan = try DatakitPlan(graph: try DatakitGraph(config: instance.config), config: instance.config)
      } catch {
        throw PluginCompileError(plugin: instance.pluginName, reason: error.description)
      }
      return DatakitExecutor(
        plan: plan, instance: instance, outbound: context.services.outbound, logger: context.logger)
    }
  }
}
