//go:build integration

// Package suite holds what the peer's own integration suite imports beyond what
// its programs do, so that `go mod tidy` keeps it: tests of other modules don't
// count there.
//
// Invariant: never built.
package suite

import (
	_ "github.com/bitnami/sealed-secrets/pkg/client/clientset/versioned"
	_ "github.com/onsi/ginkgo/v2"
	_ "github.com/onsi/gomega"
	_ "k8s.io/client-go/plugin/pkg/client/auth"
)
