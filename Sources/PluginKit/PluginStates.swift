/// What the executors of a request keep between its phases, each its own.
///
/// Few plugins need it, hence a list that is empty for most requests.
public struct PluginStates {
  private var entries: [(owner: ObjectIdentifier, state: AnyObject)] = []

  public init() {}

  /// The state of an executor that is an object.
  public subscript<State: AnyObject>(owner: AnyObject, as type: State.Type) -> State? {
    get {
      let identifier = ObjectIdentifier(owner)
      return entries.first { $0.owner == identifier }?.state as? State
    }
    set {
      let identifier = ObjectIdentifier(owner)
      entries.removeAll { $0.owner == identifier }
      if let newValue { entries.append((identifier, newValue)) }
    }
  }
}
