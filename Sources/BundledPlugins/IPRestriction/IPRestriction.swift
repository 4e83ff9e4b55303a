import EntityModel
import Logging
import PluginKit

/// `ip-restriction`: lets requests pass or not by the client's address. Source: Kong fact, bundled-16 §3.
enum IPRestriction {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "ip-restriction",
    protocols: PluginFields.protocolsAny(default: ["grpc", "grpcs", "http", "https", "tcp", "tls"]),
    config: PluginFields.config([
      "allow": .array(of: CommonFields.ipOrCIDR).described("Addresses and ranges that may pass; all others may not."),
      "deny": .array(of: CommonFields.ipOrCIDR).described("Addresses and ranges that may not pass."),
      "status": .number.checked(
        by: .custom("response_status") { value in
          guard let status = value.integer, (200...599).contains(status) else {
            return "value should be a whole number between 200 and 599, the status of a response"
          }
          return nil
        }
      ).described("Status of the answer to a refused request, 403 if not set."),
      "message": .string.described("Message of the answer to a refused request."),
    ]),
    checks: [.atLeastOneOf(["config.allow", "config.deny"])])

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      func ranges(_ list: String) throws(PluginCompileError) -> IPRangeSet {
        var blocks: [CIDRBlock] = []
        for text in instance.config.strings(list) {
          guard let block = CIDRBlock(text) else {
            throw PluginCompileError(
              plugin: instance.pluginName, reason: "config.\(list): '\(text)' is neither an address nor a range")
          }
          blocks.append(block)
        }
        return IPRangeSet(blocks)
      }
      return IPRestrictionExecutor(
        allowed: try ranges("allow"), denied: try ranges("deny"),
        status: Int(instance.config["status"]?.integer ?? 403), message: instance.config.text("message"),
        logger: context.logger)
    }
  }
}

/// Denied addresses are refused first, then those that are not among the allowed ones.
struct IPRestrictionExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  let allowed: IPRangeSet
  let denied: IPRangeSet
  let status: Int
  let message: String?
  let logger: Logger

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    guard let address = IPAddress(context.clientIP) else {
      context.refuse(
        403, "Cannot identify the client IP address, unix domain sockets are not supported.")
      return .finished
    }
    if denied.contains(address) || (!allowed.isEmpty && !allowed.contains(address)) {
      logger.warning("IP address not allowed: \(context.clientIP), request_id: \"\(context.requestID)\"")
      context.refuse(status, message ?? "IP address not allowed: \(context.clientIP)")
    }
    return .finished
  }
}
