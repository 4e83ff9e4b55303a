/// `sync_status` of a data plane (Kong fact, hybrid §6).
public enum SyncStatus: String, Sendable, Hashable, CaseIterable {
  case unknown
  case normal
  case kongVersionIncompatible = "kong_version_incompatible"
  case pluginSetIncompatible = "plugin_set_incompatible"
  case pluginVersionIncompatible = "plugin_version_incompatible"
  case filterSetIncompatible = "filter_set_incompatible"
}

/// Whether a data plane may have a configuration, and why not.
struct Verdict: Sendable {
  var status: SyncStatus
  var reason: String?
}

/// The checks of a control plane before it sends a configuration (Kong fact, hybrid §6).
enum CompatibilityCheck {
  static func version(ofDataPlane dataPlane: String, controlPlane: String) -> Verdict {
    guard let theirs = NodeVersion(dataPlane), let ours = NodeVersion(controlPlane) else {
      return Verdict(
        status: .kongVersionIncompatible,
        reason: "data plane version \(dataPlane) is incompatible with control plane version \(controlPlane)")
    }
    if theirs.major != ours.major {
      return Verdict(
        status: .kongVersionIncompatible,
        reason: "data plane version \(dataPlane) is incompatible with control plane version \(controlPlane) "
          + "(\(ours.major).x.y are accepted)")
    }
    if theirs.minor > ours.minor {
      return Verdict(
        status: .kongVersionIncompatible,
        reason: "data plane version \(dataPlane) is incompatible with older control plane version \(controlPlane)")
    }
    return Verdict(status: .normal)
  }

  /// - Parameters:
  ///   - configured: names of the bundled plugins that have instances in the payload for this node.
  ///   - ours: versions of this node's plugins.
  ///   - theirs: versions of the data plane's plugins.
  static func plugins(configured: Set<String>, ours: [String: String], theirs: [String: String]) -> Verdict {
    for name in configured.sorted() {
      let version = ours[name] ?? ""
      guard let their = theirs[name] else {
        return Verdict(
          status: .pluginSetIncompatible,
          reason: "configured \(name) plugin \(version) is missing from data plane")
      }
      guard let our = NodeVersion(version, minimum: 2), let number = NodeVersion(their, minimum: 2) else { continue }
      if our.major != number.major || our.minor < number.minor {
        return Verdict(
          status: .pluginVersionIncompatible,
          reason: "configured data plane \(name) plugin version \(their) is different to control plane plugin "
            + "version \(version)")
      }
    }
    return Verdict(status: .normal)
  }
}
