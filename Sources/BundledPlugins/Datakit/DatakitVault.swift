import EntityModel
import Foundation

/// Secrets of `resources.vault`: environment variables, as Kong's vault `env` names them.
///
/// Read once, when a snapshot is compiled. Source: Kong fact, schema-library §6.
enum DatakitVault {
  /// A reference in parts: the variable, and the member of the JSON object in it.
  private static func parts(of reference: String) -> (variable: String, member: String?)? {
    guard reference.hasPrefix("{vault://env/"), reference.hasSuffix("}") else { return nil }
    let path = reference.dropFirst("{vault://env/".count).dropLast()
    let pieces = path.split(separator: "/", omittingEmptySubsequences: false)
    guard pieces.count <= 2, let first = pieces.first, !first.isEmpty, pieces.last?.isEmpty == false,
      path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "?") && $0 != UInt8(ascii: "#") })
    else { return nil }
    let variable = first.uppercased().replacing("-", with: "_")
    // The gateway's own settings are secrets of the operator.
    guard !variable.hasPrefix("KONG_"), !variable.hasPrefix("SLUICE_") else { return nil }
    return (variable, pieces.count == 2 ? String(pieces[1]) : nil)
  }

  /// What is wrong with the references by name.
  @Sendable static func violation(_ value: JSONValue) -> String? {
    for (name, reference) in (value.object ?? [:]).sorted(by: { $0.key < $1.key }) {
      if let text = reference.string, let reason = violation(ofReference: text) { return "\(name): \(reason)" }
    }
    return nil
  }

  private static func violation(ofReference text: String) -> String? {
    parts(of: text) == nil
      ? "only references to the environment, {vault://env/NAME} or {vault://env/NAME/MEMBER}, are available, and not to "
        + "the gateway's own settings" : nil
  }

  /// The secret; nil if it is not there.
  static func resolve(_ reference: String) -> String? {
    guard let (variable, member) = parts(of: reference),
      let value = ProcessInfo.processInfo.environment[variable]
    else { return nil }
    guard let member else { return value }
    guard let document = try? JSONValue(parsing: value), let found = document[member] else { return nil }
    return found.string ?? found.serializedString
  }
}
