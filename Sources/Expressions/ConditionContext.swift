/// The request, as conditions see it. Asked on the event loop, only for the fields that a condition reaches.
public protocol ConditionContext {
  /// The field's value now: earlier plugins' changes included. Nested values must be of bounded depth.
  func value(of field: ConditionField) -> ConditionValue

  /// Calls `body` once with the bytes of a string field and returns true; false, without calling it, if the field has
  /// no bytes at hand (`value(of:)` is asked then). Spares simple conditions a String.
  func withBytes(of field: ConditionField, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool
}

extension ConditionContext {
  public func withBytes(of field: ConditionField, _ body: (UnsafeRawBufferPointer) -> Void) -> Bool { false }
}
