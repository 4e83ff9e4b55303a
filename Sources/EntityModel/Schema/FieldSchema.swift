/// One field of an entity or of a plugin's configuration, in Kong's schema language.
///
/// Built-in schemas are written in Swift with these values; a streamed plugin's schema is read from Lua into the same
/// values, after which no Lua is needed to validate a configuration. Source: Kong fact, schema-library §2 and §3.
public struct FieldSchema: Sendable {
  /// What a field holds.
  public indirect enum Kind: Sendable {
    case string
    case integer
    case number
    case boolean
    case array(FieldSchema)
    case set(FieldSchema)
    case map(keys: FieldSchema, values: FieldSchema)
    case record(RecordSchema)
    /// A record whose fields depend on the value of one of them.
    case variant(VariantSchema)
    /// A reference to an entity of the named collection, as `{"id": …}`.
    case foreign(String)
    /// Any JSON value.
    case json
  }

  public var kind: Kind
  public var required = false
  public var defaultValue: JSONValue?
  /// A value made by the gateway when the caller gives none.
  public var auto: AutoValue?
  public var isUnique = false
  public var isUniqueAcrossWorkspaces = false
  public var isImmutable = false
  public var isReferenceable = false
  public var isEncrypted = false
  public var isTransient = false
  /// The configuration of a plugin: its schema is found by the entity's subschema key.
  public var isAbstract = false
  /// Effect on this entity when the entity a foreign field points to is deleted.
  public var onDelete: OnDelete?
  public var checks: [FieldCheck] = []
  /// Replaces the message of any failing check.
  public var errorMessage: String?
  public var description: String?
  public var examples: [JSONValue] = []
  public var deprecation: Deprecation?
  /// Attributes that only readers of the schema look at, such as `indexed`.
  public var hints: [String: JSONValue] = [:]

  public init(_ kind: Kind) { self.kind = kind }

  public enum AutoValue: Sendable, Hashable {
    case uuid
    /// Seconds since the epoch.
    case createdAt, updatedAt
    /// Seconds with milliseconds as fraction (targets).
    case createdAtMilliseconds, updatedAtMilliseconds
    case randomString
  }

  public enum OnDelete: String, Sendable, Hashable { case cascade, restrict, null }
}

/// Why a field should no longer be used.
public struct Deprecation: Sendable, Hashable {
  public var message: String
  public var removalInVersion: String
  /// Dotted paths of the fields that replace the deprecated one.
  public var replacedWith: [[String]]
  /// The default that the field had before it was deprecated.
  public var oldDefault: JSONValue?

  public init(
    message: String, removalInVersion: String, replacedWith: [[String]] = [], oldDefault: JSONValue? = nil
  ) {
    self.message = message
    self.removalInVersion = removalInVersion
    self.replacedWith = replacedWith
    self.oldDefault = oldDefault
  }
}

/// A validator of one value; they run in the order of Kong's list whatever the order of declaration.
///
/// Source: Kong fact, schema-library §3 (messages included).
public enum FieldCheck: Sendable {
  case equal(JSONValue)
  case notEqual(JSONValue)
  case notOneOf([JSONValue])
  case oneOf([JSONValue])
  case greaterThan(Double)
  case timestamp
  case uuid
  case isRegex
  case between(Double, Double)
  case lengthEqual(Int)
  case lengthAtLeast(Int)
  case lengthAtMost(Int)
  case startsWith(String)
  /// Lua patterns.
  case notMatch(String)
  case matchNone([PatternRule])
  case match(String)
  case matchAll([PatternRule])
  case matchAny([String], error: String?)
  case contains(JSONValue)
  case mutuallyExclusiveSubsets([[String]])
  /// The JSON schema of a field of the type `json`.
  case jsonSchema(JSONSchema)
  /// A check written in Swift; the name is what `/schemas` would call the typedef and what tests refer to.
  /// Returns the message of a violation, nil if the value is good. Streamed schemas never have one.
  case custom(String, @Sendable (JSONValue) -> String?)

  public struct PatternRule: Sendable, Hashable {
    public var pattern: String
    public var error: String?

    public init(pattern: String, error: String? = nil) {
      self.pattern = pattern
      self.error = error
    }
  }
}

/// An ordered list of named fields with the checks that span them.
public struct RecordSchema: Sendable {
  public struct NamedField: Sendable {
    public var name: String
    public var schema: FieldSchema

    public init(_ name: String, _ schema: FieldSchema) {
      self.name = name
      self.schema = schema
    }
  }

  public var fields: [NamedField]
  public var entityChecks: [EntityCheck]
  public var shorthandFields: [ShorthandField]
  public var transformations: [Transformation]

  public init(
    _ fields: [NamedField], entityChecks: [EntityCheck] = [], shorthandFields: [ShorthandField] = [],
    transformations: [Transformation] = []
  ) {
    self.fields = fields
    self.entityChecks = entityChecks
    self.shorthandFields = shorthandFields
    self.transformations = transformations
  }

  public subscript(name: String) -> FieldSchema? { fields.first { $0.name == name }?.schema }
}

/// A check over several fields of a record; names are dotted paths from the root of the schema.
///
/// Source: Kong fact, schema-library §4 (messages included).
public enum EntityCheck: Sendable {
  case atLeastOneOf([String])
  case conditionalAtLeastOneOf(ConditionalAtLeastOneOf)
  case onlyOneOf([String])
  case distinct([String])
  case conditional(Conditional)
  case mutuallyRequired([String])
  case mutuallyExclusive([String])
  case mutuallyExclusiveSets([String], [String])
  /// A check written in Swift over the whole entity; returns the violations it finds. Streamed schemas never have one.
  case custom(fieldSources: [String], @Sendable ([String: JSONValue]) -> SchemaViolations?)

  public struct Conditional: Sendable {
    public var ifField: String
    /// Validated as a field with the attributes of `ifField`.
    public var ifMatch: ConditionMatch
    public var thenField: String
    public var thenMatch: ConditionMatch
    public var thenError: String?

    public init(
      ifField: String, ifMatch: ConditionMatch, thenField: String, thenMatch: ConditionMatch, thenError: String? = nil
    ) {
      self.ifField = ifField
      self.ifMatch = ifMatch
      self.thenField = thenField
      self.thenMatch = thenMatch
      self.thenError = thenError
    }
  }

  public struct ConditionalAtLeastOneOf: Sendable {
    public var ifField: String
    public var ifMatch: ConditionMatch
    public var thenAtLeastOneOf: [String]
    public var thenError: String?
    public var elseMatch: ConditionMatch?
    public var elseThenAtLeastOneOf: [String]?
    public var elseThenError: String?

    public init(ifField: String, ifMatch: ConditionMatch, thenAtLeastOneOf: [String]) {
      self.ifField = ifField
      self.ifMatch = ifMatch
      self.thenAtLeastOneOf = thenAtLeastOneOf
    }
  }

  /// The match table of a conditional check: `required` and validators laid over the field's own attributes.
  public struct ConditionMatch: Sendable {
    public var required: Bool?
    public var checks: [FieldCheck]
    /// Checks for the elements of an array or set.
    public var elementChecks: [FieldCheck]

    public init(required: Bool? = nil, checks: [FieldCheck] = [], elementChecks: [FieldCheck] = []) {
      self.required = required
      self.checks = checks
      self.elementChecks = elementChecks
    }
  }
}

/// Fields that are changed together. What is left of it without its functions: either all of its input is given, or
/// none of it.
///
/// Source: Kong fact, schema-library §5.
public struct Transformation: Sendable, Hashable {
  /// Dotted paths.
  public var input: [String]
  public var needs: [String]

  public init(input: [String], needs: [String] = []) {
    self.input = input
    self.needs = needs
  }
}

/// An input-only field that expands into others before defaults are filled.
public struct ShorthandField: Sendable {
  public var name: String
  public var schema: FieldSchema
  /// Returns the fields to merge into the record.
  public var expand: @Sendable (JSONValue) -> [String: JSONValue]
  /// The path whose value is shown under the shorthand's name when the entity is read, if any.
  public var translateBackwards: [String]?

  public init(
    name: String, schema: FieldSchema, translateBackwards: [String]? = nil,
    expand: @escaping @Sendable (JSONValue) -> [String: JSONValue]
  ) {
    self.name = name
    self.schema = schema
    self.translateBackwards = translateBackwards
    self.expand = expand
  }

  /// Another name for the fields at the given paths, each of which gets the value as it is.
  public init(name: String, schema: FieldSchema, standingFor paths: [[String]], translateBackwards: [String]? = nil) {
    self.init(name: name, schema: schema, translateBackwards: translateBackwards) { value in
      var members: [String: JSONValue] = [:]
      for path in paths { FieldPath(path.joined(separator: ".")).insert(value, into: &members) }
      return members
    }
  }
}
