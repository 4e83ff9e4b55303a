import EntityModel
import Foundation

/// The ports of a quickstart pair.
public struct QuickstartPorts: Sendable, Hashable {
  public var admin = 8001
  public var cluster = 8005
  public var proxy = 8000
  public var proxyTLS = 8443
  public var status = 8007
  public var echo = 8010

  /// Kong's own ports.
  public init() {}

  /// Ports that are free now, remembered in `file` so that a later start takes the same ones.
  public static func free(rememberedIn file: String) throws(QuickstartError) -> QuickstartPorts {
    if let data = FileManager.default.contents(atPath: file), let value = try? JSONValue(parsing: Array(data)) {
      var ports = QuickstartPorts()
      for (name, keyPath) in names {
        guard let port = value[name]?.integer else { continue }
        ports[keyPath: keyPath] = Int(port)
      }
      return ports
    }
    var ports = QuickstartPorts()
    // All sockets stay open until every port is chosen, so that no port is given twice.
    var sockets: [Int32] = []
    defer { sockets.forEach { close($0) } }
    for (_, keyPath) in names {
      let (descriptor, port) = try bindLoopback(port: 0)
      sockets.append(descriptor)
      ports[keyPath: keyPath] = port
    }
    let document = JSONValue.object(
      Dictionary(names.map { ($0, .integer(Int64(ports[keyPath: $1]))) }, uniquingKeysWith: { first, _ in first }))
    _ = FileManager.default.createFile(atPath: file, contents: Data(document.serialized()))
    return ports
  }

  /// Fails with the first port that another program holds.
  func requireFree() throws(QuickstartError) {
    for (name, keyPath) in Self.names {
      let (descriptor, _) = try Self.bindLoopback(port: self[keyPath: keyPath], purpose: name)
      close(descriptor)
    }
  }

  private static let names: [(String, WritableKeyPath<QuickstartPorts, Int> & Sendable)] = [
    ("admin", \.admin), ("cluster", \.cluster), ("proxy", \.proxy), ("proxy_tls", \.proxyTLS), ("status", \.status),
    ("echo", \.echo),
  ]

  private static func bindLoopback(
    port: Int, purpose: String = "any"
  ) throws(QuickstartError) -> (descriptor: Int32, port: Int) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { throw QuickstartError("cannot make a socket: \(String(cString: strerror(errno)))") }
    var reuse: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(UInt16(port)).bigEndian
    address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let bound = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        bind(descriptor, address, length) == 0 && getsockname(descriptor, address, &length) == 0
      }
    }
    guard bound else {
      let reason = String(cString: strerror(errno))
      close(descriptor)
      throw QuickstartError(
        "port \(port) (\(purpose)) cannot be used: \(reason); stop the program that holds it, or start with --free-ports"
      )
    }
    return (descriptor, Int(UInt16(bigEndian: address.sin_port)))
  }
}

/// Why the quickstart cannot go on.
public struct QuickstartError: Error, CustomStringConvertible {
  public let description: String

  init(_ description: String) { self.description = description }
}
