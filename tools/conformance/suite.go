// Package suite names the conformance suite, so that the module tools keep what its tests need.
package suite

import _ "sigs.k8s.io/mcs-api/conformance"
