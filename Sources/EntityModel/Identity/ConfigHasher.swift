import Crypto

/// Hashes one configuration after another; what did not change is not hashed again.
///
/// The hash of a list is the MD5 over the MD5s of its entities' canonical texts. Kong compatibility: Kong hashes the
/// canonical text of the list. A data plane takes the hash that its control plane sends, so the two need not agree.
public struct ConfigHasher: Sendable {
  private struct List {
    var entities: EntityList
    /// 16 bytes for each entity, by the parts of the list.
    var digests: [[UInt8]]
    var hash: String
  }

  private var lists: [String: List] = [:]

  public init() {}

  /// The hash of a configuration and of its parts (`config` for the whole); collections without entities do not count.
  public mutating func hash(
    of entities: [String: EntityList]
  ) -> (hash: String, parts: [String: String]) {
    lists = lists.filter { entities[$0.key]?.isEmpty == false }
    for (name, list) in entities where !list.isEmpty { update(name, list) }
    var hashes: [String: String] = [:]
    for part in ConfigHash.parts { hashes[part] = lists[part]?.hash ?? ConfigSnapshot.emptyHash }
    let rest = lists.keys.filter { !ConfigHash.parts.contains($0) }.sorted()
    let restHash =
      rest.isEmpty
      ? ConfigSnapshot.emptyHash
      : ConfigHash.md5(ofText: rest.map { "\($0):\(lists[$0]?.hash ?? "");" }.joined().utf8)
    let whole = ConfigHash.md5(ofText: (ConfigHash.parts.map { hashes[$0] ?? "" }.joined() + restHash).utf8)
    hashes["config"] = whole
    return (whole, hashes)
  }

  private mutating func update(_ name: String, _ entities: EntityList) {
    let known = lists[name]
    if let known, known.entities.hasSameParts(as: entities) { return }
    var byPart: [ObjectIdentifier: Int] = [:]
    for (number, part) in (known?.entities.parts ?? []).enumerated() { byPart[ObjectIdentifier(part)] = number }
    var digests: [[UInt8]] = []
    digests.reserveCapacity(entities.parts.count)
    var sum = Insecure.MD5()
    for part in entities.parts {
      let own: [UInt8]
      if let number = byPart[ObjectIdentifier(part)], let known {
        own = known.digests[number]
      } else {
        own = part.rows.flatMap { ConfigHash.digest(of: $0) }
      }
      own.withUnsafeBytes { sum.update(bufferPointer: $0) }
      digests.append(own)
    }
    lists[name] = List(entities: entities, digests: digests, hash: ConfigHash.hex(sum.finalize()))
  }
}
