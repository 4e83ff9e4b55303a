import EntityModel
import Synchronization

/// Neighbouring entities of a list in a `config_table`, in the form in which they are sent.
///
/// Holds as little as can be: a control plane has the entities themselves, a data plane the compressed bytes of the
/// message; the objects are made or read again when they are needed. Safe to use from any thread.
public final class TablePart: Sendable {
  private enum Source: Sendable {
    case entities(EntityPart, EntityDefinition)
    case rows([JSONValue])
    /// Text of the entities, separated by commas; reads it again.
    case text(@Sendable () -> [UInt8]?)
  }

  private struct Kept: Sendable {
    var text: [UInt8]?
    var digests: [ContentDigest]?
  }

  public let count: Int
  private let source: Source
  private let kept: Mutex<Kept>

  init(_ entities: EntityPart, of kind: EntityDefinition) {
    count = entities.rows.count
    source = .entities(entities, kind)
    kept = Mutex(Kept())
  }

  public init(rows: [JSONValue]) {
    count = rows.count
    source = .rows(rows)
    kept = Mutex(Kept())
  }

  /// A part of received text; nil for text that does not consist of objects separated by commas. A comma may stand
  /// before the first. The objects themselves are not read yet.
  ///
  /// - Parameter again: gives the same text once more.
  public init?(text: [UInt8], again: @escaping @Sendable () -> [UInt8]?) {
    guard let places = RowText.places(in: text), !places.isEmpty else { return nil }
    count = places.count
    source = .text(again)
    kept = Mutex(Kept(text: text, digests: places.map { ContentDigest(of: text[$0]) }))
  }

  /// The rows of a whole list in parts that end where those of an `EntityList` do.
  static func parts(of rows: [JSONValue]) -> [TablePart] {
    var parts: [TablePart] = []
    var start = 0
    for place in rows.indices where place > start && EntityList.endsPart(before: rows[place]["id"]?.string ?? "") {
      parts.append(TablePart(rows: Array(rows[start..<place])))
      start = place
    }
    if start < rows.count { parts.append(TablePart(rows: start == 0 ? rows : Array(rows[start...]))) }
    return parts
  }

  /// The entities as objects, made or read anew; nil where received text is no JSON.
  public var rows: [JSONValue]? {
    switch source {
    case .entities(let part, let kind): part.rows.map { HybridPayload.object(of: $0, kind) }
    case .rows(let rows): rows
    case .text: reader()?.all()
    }
  }

  /// The names of its entities; of plugin instances, those of their plugins.
  public var names: Set<String> {
    if case .entities(let part, _) = source { return part.names }
    return Set((rows ?? []).compactMap { $0["name"]?.string })
  }

  /// A digest for each entity: equal ones mean equal entities.
  var digests: [ContentDigest] {
    if let known = kept.withLock({ $0.digests }) { return known }
    let made = (rows ?? []).map { ContentDigest(of: $0.serialized()) }
    kept.withLock { $0.digests = made }
    return made
  }

  /// Reads single entities; nil where received text cannot be had again.
  func reader() -> Reader? {
    switch source {
    case .entities, .rows: return rows.map { .rows($0) }
    case .text(let again):
      guard let text = kept.withLock({ $0.text }) ?? again(), let places = RowText.places(in: text),
        places.count == count
      else { return nil }
      return .text(text, places)
    }
  }

  /// Lets the memory of received text go; it is made again when it is needed.
  public func settle() { kept.withLock { $0.text = nil } }

  enum Reader {
    case rows([JSONValue])
    case text([UInt8], [Range<Int>])

    /// The object of one entity; nil where it is no JSON object.
    func row(_ place: Int) -> EntityFields? {
      switch self {
      case .rows(let rows): rows[place].object
      case .text(let text, let places): (try? JSONValue(parsing: text[places[place]]))?.object
      }
    }

    func all() -> [JSONValue]? {
      guard case .text(let text, let places) = self else {
        if case .rows(let rows) = self { return rows }
        return nil
      }
      var rows: [JSONValue] = []
      rows.reserveCapacity(places.count)
      for place in places {
        guard let row = try? JSONValue(parsing: text[place]) else { return nil }
        rows.append(row)
      }
      return rows
    }
  }
}
