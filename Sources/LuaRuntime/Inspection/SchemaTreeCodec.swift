import CLuaBridge
import EntityModel

/// The byte form in which values go into and come out of an inspected Lua state; see `LuaInspect.h`.
enum SchemaTreeCodec {
  /// Why bytes are no value.
  enum Failure: Error, Equatable {
    /// Text that is not UTF-8; JSON and the Admin API could not carry it.
    case textIsNotUTF8
    case malformed
  }

  static func encode(_ tree: SchemaTree) -> [UInt8] {
    var bytes: [UInt8] = []
    append(tree, to: &bytes)
    return bytes
  }

  private static func append(_ tree: SchemaTree, to bytes: inout [UInt8]) {
    switch tree {
    case .nil: bytes.append(tag(LUA_INSPECT_TAG_NIL))
    case .null: bytes.append(tag(LUA_INSPECT_TAG_NULL))
    case .bool(let value): bytes.append(tag(value ? LUA_INSPECT_TAG_TRUE : LUA_INSPECT_TAG_FALSE))
    case .number(let number): append(number, to: &bytes)
    case .string(let text): append(text, tag: LUA_INSPECT_TAG_STRING, to: &bytes)
    case .validator(let name): append(name, tag: LUA_INSPECT_TAG_VALIDATOR, to: &bytes)
    case .function, .opaque: bytes.append(tag(LUA_INSPECT_TAG_NIL))
    case .table(let entries):
      bytes.append(tag(LUA_INSPECT_TAG_TABLE))
      let countPosition = bytes.count
      append(count: 0, to: &bytes)
      var count = 0
      for entry in entries {
        switch entry.key {
        case .index(let index): append(Double(index), to: &bytes)
        case .name(let name): append(name, tag: LUA_INSPECT_TAG_STRING, to: &bytes)
        case .other: continue
        }
        append(entry.value, to: &bytes)
        count += 1
      }
      var header: [UInt8] = []
      append(count: count, to: &header)
      bytes.replaceSubrange(countPosition..<(countPosition + header.count), with: header)
    }
  }

  private static func append(_ number: Double, to bytes: inout [UInt8]) {
    bytes.append(tag(LUA_INSPECT_TAG_NUMBER))
    withUnsafeBytes(of: number) { bytes.append(contentsOf: $0) }
  }

  private static func append(_ text: String, tag: Int, to bytes: inout [UInt8]) {
    bytes.append(UInt8(truncatingIfNeeded: tag))
    append(count: text.utf8.count, to: &bytes)
    bytes.append(contentsOf: text.utf8)
  }

  private static func append(count: Int, to bytes: inout [UInt8]) {
    withUnsafeBytes(of: UInt32(clamping: count)) { bytes.append(contentsOf: $0) }
  }

  private static func tag(_ tag: Int) -> UInt8 { UInt8(truncatingIfNeeded: tag) }

  static func decode(_ bytes: UnsafeRawBufferPointer) throws(Failure) -> SchemaTree {
    var reader = Reader(bytes: bytes)
    return try reader.value()
  }

  /// Walks the bytes; the recursion is bounded by the depth limit of the inspection that wrote them.
  private struct Reader {
    let bytes: UnsafeRawBufferPointer
    var position = 0

    mutating func value() throws(Failure) -> SchemaTree {
      switch Int(try load(UInt8.self)) {
      case LUA_INSPECT_TAG_NIL: return .nil
      case LUA_INSPECT_TAG_NULL: return .null
      case LUA_INSPECT_TAG_FALSE: return .bool(false)
      case LUA_INSPECT_TAG_TRUE: return .bool(true)
      case LUA_INSPECT_TAG_NUMBER: return .number(try load(Double.self))
      case LUA_INSPECT_TAG_STRING: return .string(try text())
      case LUA_INSPECT_TAG_VALIDATOR: return .validator(try text())
      case LUA_INSPECT_TAG_OTHER: return .opaque(try text())
      case LUA_INSPECT_TAG_FUNCTION:
        let line = try load(Int32.self)
        return .function(line: line > 0 ? Int(line) : nil)
      case LUA_INSPECT_TAG_TABLE:
        let count = Int(try load(UInt32.self))
        guard count <= bytes.count - position else { throw .malformed }
        var entries: [SchemaTree.Entry] = []
        entries.reserveCapacity(count)
        for _ in 0..<count {
          let key = try value()
          entries.append(SchemaTree.Entry(SchemaTree.Key(key), try value()))
        }
        return .table(entries)
      default: throw .malformed
      }
    }

    private mutating func load<Value: BitwiseCopyable>(_ type: Value.Type) throws(Failure) -> Value {
      guard MemoryLayout<Value>.size <= bytes.count - position else { throw .malformed }
      defer { position += MemoryLayout<Value>.size }
      return bytes.loadUnaligned(fromByteOffset: position, as: type)
    }

    private mutating func text() throws(Failure) -> String {
      let length = Int(try load(UInt32.self))
      guard length <= bytes.count - position else { throw .malformed }
      defer { position += length }
      guard let text = String(validating: bytes[position..<(position + length)], as: UTF8.self) else {
        throw .textIsNotUTF8
      }
      return text
    }
  }
}

extension SchemaTree.Key {
  fileprivate init(_ tree: SchemaTree) {
    switch tree {
    case .string(let name): self = .name(name)
    case .number(let number): self = Int(exactly: number).map { .index($0) } ?? .other("number")
    case .bool: self = .other("boolean")
    case .opaque(let type): self = .other(type)
    default: self = .other(String(tree.typeDescription.split(separator: " ").last ?? "value"))
    }
  }
}
