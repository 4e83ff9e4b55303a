import CLuaBridge
import EntityModel
import NIOCore
import PluginKit

/// An error that a plugin API function raises in Lua.
struct LuaFault: Error {
  let message: String

  init(_ message: String) { self.message = message }
}

/// What a plugin API function asks for when it returns.
enum LuaOutcome {
  /// Its results are in the call.
  case returned
  /// The phase ends at once.
  case exit
  /// The plugin waits.
  case wait(LuaWait)
}

/// A wait of a plugin: `begin` starts it and calls its second argument once, on the event loop; what that is given
/// writes the results of the waiting function.
struct LuaWait {
  typealias Results = (LuaCall) -> Void
  /// The context is nil in a timer.
  let begin: (RequestContext?, any EventLoop, @escaping (@escaping Results) -> Void) -> Void
}

/// Arguments and results of one call of a plugin API function. Valid during that call only.
struct LuaCall {
  let raw: UnsafeMutablePointer<slu_call>
  unowned(unsafe) let host: LuaHost

  // MARK: Context

  /// The request that runs.
  var context: RequestContext {
    get throws(LuaFault) {
      guard let context = host.context else { throw LuaFault("no request found") }
      return context
    }
  }

  /// Refuses to change a response that has begun.
  func checkHeadersNotSent() throws(LuaFault) {
    if try context.response.headersSent { throw LuaFault("headers have already been sent") }
  }

  // MARK: Arguments

  var argumentCount: Int { Int(raw.pointee.argument_count) }

  func kind(_ index: Int) -> Int { index < argumentCount ? Int(raw.pointee.arguments[index].kind) : SLU_NIL }

  func isNil(_ index: Int) -> Bool { kind(index) == SLU_NIL }

  func isTable(_ index: Int) -> Bool { kind(index) == SLU_TABLE }

  /// Whether the argument was a table that the bridge has encoded as JSON; `bytes` is then the text.
  func isJSON(_ index: Int) -> Bool {
    kind(index) == SLU_STRING && Int(raw.pointee.arguments[index].flags) & SLU_FLAG_JSON != 0
  }

  /// Bytes of a string; nil for other types. Owned by Lua and valid during the call.
  func bytes(_ index: Int) -> UnsafeRawBufferPointer? {
    guard kind(index) == SLU_STRING else { return nil }
    let value = raw.pointee.arguments[index]
    return UnsafeRawBufferPointer(start: value.bytes, count: value.length)
  }

  func string(_ index: Int) -> String? { bytes(index).map { String(decoding: $0, as: UTF8.self) } }

  func number(_ index: Int) -> Double? { kind(index) == SLU_NUMBER ? raw.pointee.arguments[index].number : nil }

  /// A number without its fraction, pressed into `range`; nil for other types and for what is not a number.
  func whole(_ index: Int, in range: ClosedRange<Int>) -> Int? {
    guard let number = number(index), !number.isNaN else { return nil }
    if number <= Double(range.lowerBound) { return range.lowerBound }
    return number >= Double(range.upperBound) ? range.upperBound : Int(number)
  }

  func boolean(_ index: Int) -> Bool? {
    switch kind(index) {
    case SLU_TRUE: true
    case SLU_FALSE: false
    default: nil
    }
  }

  /// Everything but nil and false.
  func isTruthy(_ index: Int) -> Bool { kind(index) != SLU_NIL && kind(index) != SLU_FALSE }

  /// Text of a string or number.
  func text(_ index: Int) -> String? { string(index) ?? number(index).map(luaText) }

  func requireBytes(_ index: Int, _ message: @autoclosure () -> String) throws(LuaFault) -> UnsafeRawBufferPointer {
    guard let bytes = bytes(index) else { throw LuaFault(message()) }
    return bytes
  }

  func requireString(_ index: Int, _ message: @autoclosure () -> String) throws(LuaFault) -> String {
    guard let string = string(index) else { throw LuaFault(message()) }
    return string
  }

  /// Lua's name of the argument's type.
  func typeName(_ index: Int) -> String {
    switch kind(index) {
    case SLU_NIL: "nil"
    case SLU_TRUE, SLU_FALSE: "boolean"
    case SLU_NUMBER: "number"
    case SLU_STRING: isJSON(index) ? "table" : "string"
    case SLU_TABLE: "table"
    case SLU_NULL: "userdata"
    default: value(index).typeName
    }
  }

  /// The argument copied, tables included.
  func value(_ index: Int) -> LuaValue {
    guard index < argumentCount else { return .nil }
    var place = 0
    if kind(index) == SLU_TABLE {
      place = raw.pointee.arguments[index].offset
      // Of a table that its function does not ask for nothing is known but that it is one.
      guard place < Int(raw.pointee.node_count), let nodes = raw.pointee.nodes else {
        return .table([], isArray: false)
      }
      return LuaValue(UnsafePointer(nodes), &place)
    }
    return LuaValue(UnsafePointer(raw.pointee.arguments) + index, &place)
  }

  // MARK: Results

  func returnNil() { slu_return_nil(raw) }
  func returnNull() { slu_return_null(raw) }
  func returns(_ value: Bool) { slu_return_boolean(raw, value) }
  func returns(_ value: Double) { slu_return_number(raw, value) }
  func returns(_ value: Int) { slu_return_number(raw, Double(value)) }
  func returns(_ bytes: UnsafeRawBufferPointer) { slu_return_string(raw, bytes.baseAddress, bytes.count) }
  func returns(_ bytes: [UInt8]) { bytes.withUnsafeBytes { returns($0) } }
  func returns(_ bytes: ByteBuffer) { bytes.withUnsafeReadableBytes { returns($0) } }
  func returns(_ text: String) {
    var text = text
    text.withUTF8 { returns(UnsafeRawBufferPointer($0)) }
  }
  func returns(_ text: String?) { if let text { returns(text) } else { returnNil() } }

  /// Begins a table of `count` keys and values, which follow.
  func beginTable(_ count: Int) { slu_return_table(raw, UInt32(count), 0) }

  /// Begins a list of `count` values, which follow.
  func beginList(_ count: Int, isArray: Bool = false) {
    slu_return_table(raw, UInt32(count), UInt8(SLU_FLAG_LIST | (isArray ? SLU_FLAG_ARRAY_METATABLE : 0)))
  }

  /// Kong's way to fail: nil and a sentence.
  func returnsFailure(_ message: String) {
    returnNil()
    returns(message)
  }

  /// A JSON value as plain tables; nulls in objects are left out, those in arrays are `ngx.null`.
  func returns(_ json: JSONValue, keepingNulls: Bool = false) {
    switch json {
    case .null: if keepingNulls { returnNull() } else { returnNil() }
    case .bool(let value): returns(value)
    case .integer(let value): returns(Double(value))
    case .number(let value): returns(value)
    case .string(let text): returns(text)
    case .array(let elements):
      beginList(elements.count)
      for element in elements { returns(element, keepingNulls: true) }
    case .object(let members):
      beginTable(keepingNulls ? members.count : members.values.count { !$0.isNull })
      for (key, value) in members where keepingNulls || !value.isNull {
        returns(key)
        returns(value, keepingNulls: keepingNulls)
      }
    }
  }

  func returns(_ value: LuaValue) {
    switch value {
    case .nil, .other: returnNil()
    case .null: returnNull()
    case .boolean(let value): returns(value)
    case .number(let value): returns(value)
    case .string(let bytes): returns(bytes)
    case .table(let items, let isArray):
      slu_return_table(raw, UInt32(items.count), UInt8(isArray ? SLU_FLAG_ARRAY_METATABLE : 0))
      for item in items {
        returns(item.key)
        returns(item.value)
      }
    }
  }
}
