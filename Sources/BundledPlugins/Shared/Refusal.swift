import NIOCore
import PluginKit

extension RequestContext {
  /// Ends the request with an error in the form that the client accepts, as a plugin does that refuses a request.
  func refuse(_ status: Int, _ message: String?, headers: [(name: String, value: String)] = []) {
    var response = ErrorResponder.response(status: status, message: message, headers: headers, for: self)
    response.source = .exit
    earlyResponse = response
  }
}
