/// Refers to the instance that runs, so that it need not be copied for each phase of each request.
public protocol RunningPlugin: AnyObject {
  var instance: PluginInstance { get }
}
