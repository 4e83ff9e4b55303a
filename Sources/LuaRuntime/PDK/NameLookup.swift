import EntityModel
import NIOCore
import NIOPosix
import PluginKit

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// `kong.dns`. Source: Kong fact, pdk §6.
///
/// Names are resolved by the system, on a thread of their own; the plugin waits.
enum NameNamespace {
  static let functions: [PDKFunction] = [
    .controlling(
      "kong.dns.resolve", .any, level: .lax, arguments: "name",
      "Addresses of a name: a list of records with address, type, class and name.",
      { (call) throws(LuaFault) in
        let name = try call.requireString(0, "qname must be a string")
        return .wait(
          CryptoNamespace.offLoop({ NameLookup.addresses(of: name) }) { call, addresses in
            guard let addresses, !addresses.isEmpty else {
              return call.returnsFailure("dns server error: 3 name error")
            }
            call.beginList(addresses.count)
            for address in addresses {
              call.beginTable(4)
              call.returns("address")
              call.returns(address)
              call.returns("type")
              call.returns(address.contains(":") ? 28 : 1)
              call.returns("class")
              call.returns(1)
              call.returns("name")
              call.returns(name)
            }
          })
      }),
    .controlling(
      "kong.dns.toip", .any, level: .lax, arguments: "name, port", "One address of a name, and the port.",
      { (call) throws(LuaFault) in
        let name = try call.requireString(0, "qname must be a string")
        let port = call.number(1)
        if IPAddress(name) != nil {
          call.returns(name)
          if let port { call.returns(port) }
          return .returned
        }
        return .wait(
          CryptoNamespace.offLoop({ NameLookup.addresses(of: name) }) { call, addresses in
            guard let address = addresses?.randomElement() else {
              return call.returnsFailure("dns server error: 3 name error")
            }
            call.returns(address)
            if let port { call.returns(port) }
          })
      }),
  ]
}

enum NameLookup {
  /// The system's addresses of a name, IPv4 first; empty if there are none. Blocks.
  static func addresses(of name: String) -> [String] {
    guard name.utf8.count <= 255, !name.utf8.contains(0) else { return [] }
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var result: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(name, nil, &hints, &result) == 0 else { return [] }
    defer { freeaddrinfo(result) }
    var found: [String] = []
    var entry = result
    while let current = entry {
      var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      let status = getnameinfo(
        current.pointee.ai_addr, current.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
      if status == 0 {
        let address = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if !found.contains(address) { found.append(address) }
      }
      entry = current.pointee.ai_next
    }
    return found.filter { !$0.contains(":") } + found.filter { $0.contains(":") }
  }
}
