"""What AWS answers: who refused a call, what Cognito's sentences mean, and which texts may be repeated."""
