// Runs Verify of docs/webhooks.md: on standard input a list of requests, on standard output
// whether each was taken.
package main

import (
	"encoding/json"
	"os"

	"receiver/webhook"
)

type request struct {
	Secret  string            `json:"secret"`
	Body    []byte            `json:"body"`
	Headers map[string]string `json:"headers"`
}

func main() {
	var requests []request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		panic(err)
	}
	taken := []bool{}
	for _, asked := range requests {
		header := func(name string) string { return asked.Headers[name] }
		taken = append(taken, webhook.Verify(asked.Secret, asked.Body, header))
	}
	if err := json.NewEncoder(os.Stdout).Encode(taken); err != nil {
		panic(err)
	}
}
