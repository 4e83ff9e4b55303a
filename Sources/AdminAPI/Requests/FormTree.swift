import EntityModel

/// The arguments of a form as a tree: `config.add.headers[]=a:b`, `paths[1]=/a`, `headers[x]=1`, `tags=a&tags=b`.
///
/// The tree knows no types; `FormInference` turns it into a value by the schema. Source: Kong fact, admin-api §2.
struct FormTree: Sendable, Equatable {
  /// A value as it was sent.
  enum Leaf: Sendable, Equatable {
    case text(String)
    /// A name without `=`, which Kong reads as true.
    case flag
    /// A multipart part whose content type is JSON.
    case json(JSONValue)
  }

  /// Deepest nesting of a name.
  static let maximumDepth = 32

  /// Values given to this very name, in order.
  private(set) var leaves: [Leaf] = []
  /// What was given as `name[]`, in order.
  private(set) var appended: [FormTree] = []
  /// Named and numbered parts in the order in which they appeared first.
  private(set) var children: [(key: String, tree: FormTree)] = []

  static func == (left: FormTree, right: FormTree) -> Bool {
    left.leaves == right.leaves && left.appended == right.appended
      && left.children.elementsEqual(right.children) { $0.key == $1.key && $0.tree == $1.tree }
  }

  init() {}

  /// A tree of one value.
  init(_ leaf: Leaf) { leaves = [leaf] }

  /// - Throws: `AdminRefusal` (400) for names that nest too deeply.
  init(_ arguments: QueryArguments) throws(AdminRefusal) {
    for argument in arguments.arguments {
      try insert(argument.value.map(Leaf.text) ?? .flag, name: argument.name)
    }
  }

  subscript(key: String) -> FormTree? { children.first { $0.key == key }?.tree }

  /// The last text given to this name, if any.
  var text: String? {
    if case .text(let text)? = leaves.last { text } else { nil }
  }

  /// - Throws: `AdminRefusal` (400) for a name that nests too deeply.
  mutating func insert(_ leaf: Leaf, name: String) throws(AdminRefusal) {
    let steps = Self.steps(of: name)
    guard steps.count <= Self.maximumDepth else {
      throw .message(400, "the form field '\(name.prefix(80))…' nests deeper than \(Self.maximumDepth) levels")
    }
    insert(leaf, steps: steps[...])
  }

  private mutating func insert(_ leaf: Leaf, steps: ArraySlice<Step>) {
    guard let step = steps.first else {
      leaves.append(leaf)
      return
    }
    switch step {
    case .append:
      var tree = FormTree()
      tree.insert(leaf, steps: steps.dropFirst())
      appended.append(tree)
    case .key(let key):
      if let index = children.firstIndex(where: { $0.key == key }) {
        children[index].tree.insert(leaf, steps: steps.dropFirst())
      } else {
        var tree = FormTree()
        tree.insert(leaf, steps: steps.dropFirst())
        children.append((key, tree))
      }
    }
  }

  private enum Step {
    case key(String)
    case append
  }

  /// `a.b[1][]` as a, b, 1, append. A bracket that is not closed is part of the name.
  private static func steps(of name: String) -> [Step] {
    var steps: [Step] = []
    for part in name.split(separator: ".", omittingEmptySubsequences: false) {
      var rest = part
      guard let open = rest.firstIndex(of: "["), rest.hasSuffix("]") else {
        steps.append(.key(String(rest)))
        continue
      }
      if open > rest.startIndex { steps.append(.key(String(rest[..<open]))) }
      rest = rest[open...]
      while rest.first == "[", let close = rest.firstIndex(of: "]") {
        let inside = rest[rest.index(after: rest.startIndex)..<close]
        steps.append(inside.isEmpty ? .append : .key(String(inside)))
        rest = rest[rest.index(after: close)...]
      }
      if !rest.isEmpty { steps.append(.key(String(rest))) }
    }
    return steps
  }
}
