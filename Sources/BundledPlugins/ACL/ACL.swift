import EntityModel
import PluginKit

/// `acl`: lets consumers pass or not by their groups. Source: Kong fact, bundled-16 §1.
enum ACL {
  static let definition = PluginDefinition.bundled(schema, phases: [.access], Implementation())

  static let schema = PluginSchema(
    "acl",
    protocols: PluginFields.protocols(PluginFields.httpNames + ["ws", "wss"], default: PluginFields.httpNames),
    without: [PluginScope.consumer, PluginScope.consumerGroup],
    config: PluginFields.config([
      "allow": .array(of: .string).described("Groups that may pass; all others may not."),
      "deny": .array(of: .string).described("Groups that may not pass."),
      "hide_groups_header": PluginFields.flag(false, "Whether the groups are kept from the upstream."),
      "always_use_authenticated_groups": PluginFields.flag(
        false, "Whether groups from authentication count although the consumer has groups."),
      "include_consumer_groups": PluginFields.flag(false, "Whether names of consumer groups count as well."),
    ]),
    checks: [.onlyOneOf(["config.allow", "config.deny"]), .atLeastOneOf(["config.allow", "config.deny"])])

  struct Implementation: SnapshotAwarePluginImplementation {
    func makeExecutor(
      for instance: PluginInstance, in context: PluginCompileContext
    ) throws(PluginCompileError) -> any PluginExecutor {
      let config = instance.config
      let denied = config.strings("deny")
      return ACLExecutor(
        denies: !denied.isEmpty, names: Set(denied.isEmpty ? config.strings("allow") : denied),
        hidesGroups: config.flag("hide_groups_header"),
        prefersAuthenticatedGroups: config.flag("always_use_authenticated_groups"),
        includesConsumerGroups: config.flag("include_consumer_groups"), consumers: context.consumers)
    }
  }
}

struct ACLExecutor: PluginExecutor {
  let phases = PhaseSet(.access)
  /// The names are denied; else they are the allowed ones.
  let denies: Bool
  let names: Set<String>
  let hidesGroups: Bool
  let prefersAuthenticatedGroups: Bool
  let includesConsumerGroups: Bool
  let consumers: ConsumerDirectory

  func run(_ phase: Phase, _ context: RequestContext) -> PhaseOutcome {
    let hasCredential = context.credential != nil
    guard let consumer = context.consumer?.id ?? context.credential?["consumer_id"]?.string else {
      guard let groups = authenticatedGroups(context) else {
        // Source: Kong fact, bundled-16 §1: since 3.15.0.1 a credential without groups passes a deny list.
        if hasCredential, denies { return .finished }
        return refuse(context, hasCredential)
      }
      return decide(groups, header: "X-Authenticated-Groups", context)
    }
    if !hasCredential || prefersAuthenticatedGroups, let groups = authenticatedGroups(context) {
      return decide(groups, header: "X-Authenticated-Groups", context)
    }
    guard let groups = groups(ofConsumer: consumer) else {
      return denies
        ? decide(AccessGroups.none, header: "X-Consumer-Groups", context) : refuse(context, hasCredential)
    }
    return decide(groups, header: "X-Consumer-Groups", context)
  }

  private func groups(ofConsumer id: String) -> AccessGroups? {
    let groups = consumers.accessGroups(ofConsumer: id)
    guard includesConsumerGroups else { return groups }
    let others = consumers.consumerGroups(ofConsumer: id).compactMap { $0["name"]?.string }
    if others.isEmpty { return groups }
    let known = groups?.names ?? []
    return AccessGroups(known + others.filter { !known.contains($0) })
  }

  private func refuse(_ context: RequestContext, _ hasCredential: Bool) -> PhaseOutcome {
    if hasCredential {
      context.refuse(403, "You cannot consume this service")
    } else {
      context.refuse(401, "Unauthorized")
    }
    return .finished
  }

  private func decide(_ groups: AccessGroups, header: String, _ context: RequestContext) -> PhaseOutcome {
    guard groups.names.contains(where: names.contains) != denies else {
      context.refuse(403, "You cannot consume this service")
      return .finished
    }
    if !hidesGroups { context.requestHeaders.set(header, groups.headerText) }
    return .finished
  }

  /// What a plugin before said, or put into `kong.ctx.shared.authenticated_groups`; nil unless it is a list of texts.
  private func authenticatedGroups(_ context: RequestContext) -> AccessGroups? {
    if let names = context.authenticatedGroups, !names.isEmpty { return AccessGroups(names) }
    guard let shared = context.scriptState as? any SharedContextValues,
      case .list(let values) = shared.sharedValue(forKey: "authenticated_groups")
    else { return nil }
    var names: [String] = []
    for value in values {
      guard case .string(let name) = value else { return nil }
      names.append(name)
    }
    return names.isEmpty ? nil : AccessGroups(names)
  }
}
