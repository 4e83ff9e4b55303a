import EntityModel
import PluginKit

/// Finds the client's address behind trusted proxies, as nginx's realip module does.
enum RealIP {
  /// For requests of trusted peers: takes the address from the configured field. Text that is no address changes
  /// nothing.
  static func apply(to context: RequestContext, configuration: ProxyConfiguration) {
    let values = context.requestHeaders.values(of: configuration.realIPHeader)
    guard !values.isEmpty else { return }
    let members = values.flatMap { $0.split(separator: ",") }.map { member in
      String(member.drop { $0 == " " || $0 == "\t" }.reversed().drop { $0 == " " || $0 == "\t" }.reversed())
    }
    guard configuration.realIPRecursive else {
      if let last = members.last { use(last, context) }
      return
    }
    // The last address that is not a trusted proxy itself; the first of all if every one is.
    for member in members.reversed() {
      guard let (address, _) = split(member) else { return }
      use(member, context)
      if !context.isTrusted(address) { return }
    }
  }

  private static func use(_ text: String, _ context: RequestContext) {
    guard let (address, port) = split(text) else { return }
    context.clientIP = address.description
    context.clientPort = port ?? 0
  }

  /// `address`, `ipv4:port` or `[ipv6]:port`.
  private static func split(_ text: String) -> (IPAddress, Int?)? {
    if let address = IPAddress(text) { return (address, nil) }
    guard let colon = text.lastIndex(of: ":"), let address = IPAddress(String(text[..<colon])),
      let port = Int(text[text.index(after: colon)...]), (0...65535).contains(port)
    else { return nil }
    return (address, port)
  }
}
