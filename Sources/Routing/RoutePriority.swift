import Crypto

/// Place of a (split) route in the order of the traditional_compatible router.
///
/// Source: Kong fact, proxy-behaviour §2. Higher goes first; among equals the larger UUID.
struct RoutePriority: Hashable, Comparable {
  let weight: UInt64
  /// 16 bytes.
  let id: [UInt8]

  /// - Parameter path: the kind and length that the paths of this part of the route share; nil without paths.
  init(rule: RouteRule, path: RoutePath.Group?, id: [UInt8]) {
    var weight: UInt64 = 0
    let kinds = [
      !rule.methods.isEmpty, !rule.hosts.isEmpty, !rule.headers.isEmpty, !rule.snis.isEmpty, path != nil,
    ]
    weight |= UInt64(kinds.count { $0 }) << 61
    if !rule.hosts.isEmpty, !rule.hosts.contains(where: { $0.contains("*") }) { weight |= 1 << 60 }
    weight |= UInt64(min(rule.headers.count, 255)) << 52
    switch path {
    case .regex:
      weight |= 1 << 51
      weight |= UInt64(UInt32(clamping: rule.regexPriority)) << 19
    case .prefix(let length):
      weight |= UInt64(min(length, (1 << 19) - 1))
    case nil: break
    }
    self.weight = weight
    self.id = id
  }

  /// Smaller means later in the order.
  static func < (left: RoutePriority, right: RoutePriority) -> Bool {
    if left.weight != right.weight { return left.weight < right.weight }
    return left.id.lexicographicallyPrecedes(right.id)
  }
}

/// The 16 bytes of UUIDs.
enum RouteID {
  /// Bytes of a UUID's text. A text that is none gets a UUID of its own, so that the order stays total.
  static func bytes(of id: String) -> [UInt8] {
    var bytes: [UInt8] = []
    var high: UInt8?
    for character in id.utf8 where character != UInt8(ascii: "-") {
      guard let digit = hexDigit(character) else { return version5(name: id) }
      if let first = high {
        bytes.append(first << 4 | digit)
        high = nil
      } else {
        high = digit
      }
    }
    return bytes.count == 16 && high == nil ? bytes : version5(name: id)
  }

  /// UUID of the part of a route that holds the paths of one kind and length.
  static func part(of id: String, _ group: RoutePath.Group) -> [UInt8] {
    switch group {
    case .prefix(let length): version5(name: "\(id)#\(length)")
    case .regex: version5(name: "\(id)#0")
    }
  }

  /// RFC 9562 §5.5, in the name space of split routes.
  static func version5(name: String) -> [UInt8] {
    var hash = Insecure.SHA1()
    hash.update(data: namespace)
    hash.update(data: Array(name.utf8))
    var bytes = Array(hash.finalize().prefix(16))
    bytes[6] = bytes[6] & 0x0F | 0x50
    bytes[8] = bytes[8] & 0x3F | 0x80
    return bytes
  }

  private static let namespace: [UInt8] = [
    0x7F, 0x14, 0x5B, 0xF9, 0x0D, 0xCE, 0x4F, 0x91, 0x98, 0xEB, 0xDE, 0xBB, 0xCE, 0x4B, 0x9F, 0x6B,
  ]

  private static func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    default: nil
    }
  }
}
