/// The vocabulary in which built-in schemas are written.
extension FieldSchema {
  public static var string: FieldSchema { FieldSchema(.string) }
  public static var integer: FieldSchema { FieldSchema(.integer) }
  public static var number: FieldSchema { FieldSchema(.number) }
  public static var boolean: FieldSchema { FieldSchema(.boolean) }
  public static var json: FieldSchema { FieldSchema(.json) }
  public static func array(of element: FieldSchema) -> FieldSchema { FieldSchema(.array(element)) }
  public static func set(of element: FieldSchema) -> FieldSchema { FieldSchema(.set(element)) }
  public static func map(_ keys: FieldSchema, _ values: FieldSchema) -> FieldSchema {
    FieldSchema(.map(keys: keys, values: values))
  }
  public static func record(_ schema: RecordSchema) -> FieldSchema { FieldSchema(.record(schema)) }
  public static func foreign(_ collection: String, onDelete: OnDelete? = nil) -> FieldSchema {
    var field = FieldSchema(.foreign(collection))
    field.onDelete = onDelete
    return field
  }

  public func asRequired(_ isRequired: Bool = true) -> FieldSchema { with { $0.required = isRequired } }
  public func defaulting(to value: JSONValue) -> FieldSchema { with { $0.defaultValue = value } }
  public func checked(by checks: FieldCheck...) -> FieldSchema { with { $0.checks += checks } }
  public func asUnique(acrossWorkspaces: Bool = false) -> FieldSchema {
    with {
      $0.isUnique = true
      $0.isUniqueAcrossWorkspaces = acrossWorkspaces
    }
  }
  public func filledAutomatically(with value: AutoValue) -> FieldSchema { with { $0.auto = value } }
  public func asImmutable() -> FieldSchema { with { $0.isImmutable = true } }
  public func asReferenceable() -> FieldSchema { with { $0.isReferenceable = true } }
  public func asEncrypted() -> FieldSchema { with { $0.isEncrypted = true } }
  public func asTransient() -> FieldSchema { with { $0.isTransient = true } }
  public func asAbstract() -> FieldSchema { with { $0.isAbstract = true } }
  public func failing(with message: String) -> FieldSchema { with { $0.errorMessage = message } }
  public func described(_ text: String) -> FieldSchema { with { $0.description = text } }
  public func deprecated(_ deprecation: Deprecation) -> FieldSchema { with { $0.deprecation = deprecation } }

  private func with(_ change: (inout FieldSchema) -> Void) -> FieldSchema {
    var copy = self
    change(&copy)
    return copy
  }
}

extension RecordSchema {
  /// Fields in the order in which they are written.
  public init(
    _ fields: KeyValuePairs<String, FieldSchema>, entityChecks: [EntityCheck] = [],
    shorthandFields: [ShorthandField] = []
  ) {
    self.init(
      fields.map { NamedField($0.key, $0.value) }, entityChecks: entityChecks, shorthandFields: shorthandFields)
  }
}
