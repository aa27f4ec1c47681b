// What an app has besides the recipe, by client library: settings, and forgot-password.
// Each signs in with an ID token, or null where forgot-password has to be opened.

const nullIfReset = async (signingIn) => {
  try {
    return await signingIn;
  } catch (error) {
    if ([error.code, error.name].includes('PasswordResetRequiredException')) return null;
    throw error;
  }
};

async function amplifyV6({ pool, client, endpoint }, signInOf) {
  const { Amplify } = await import('aws-amplify');
  const auth = await import('aws-amplify/auth');
  Amplify.configure({ Auth: { Cognito: { userPoolId: pool, userPoolClientId: client, userPoolEndpoint: endpoint } } });
  const signIn = await signInOf(auth);
  return {
    async signIn(username, password) {
      const { nextStep } = await signIn(username, password);
      if (nextStep.signInStep === 'RESET_PASSWORD') return null;
      if (nextStep.signInStep !== 'DONE') throw new Error(nextStep.signInStep);
      return (await auth.fetchAuthSession()).tokens.idToken.toString();
    },
    forgot: (username) => auth.resetPassword({ username }),
    confirm: (username, confirmationCode, newPassword) =>
      auth.confirmResetPassword({ username, confirmationCode, newPassword }),
  };
}

async function amplifyV5({ pool, client, endpoint }) {
  const { Auth } = await import('@aws-amplify/auth-v5');
  const { signInMigrating } = await import('./recipes/amplify-v5.js');
  Auth.configure({ region: pool.split('_')[0], userPoolId: pool, userPoolWebClientId: client, endpoint });
  const token = async (signingIn) => (await signingIn).getSignInUserSession().getIdToken().getJwtToken();
  return {
    signIn: (username, password) => nullIfReset(token(signInMigrating(username, password))),
    forgot: (username) => Auth.forgotPassword(username),
    confirm: (username, code, chosen) => Auth.forgotPasswordSubmit(username, code, chosen),
  };
}

async function identityJs({ pool, client, endpoint }) {
  const { CognitoUser, CognitoUserPool } = await import('amazon-cognito-identity-js');
  const { authenticateMigrating } = await import('./recipes/identity-js.js');
  const Pool = new CognitoUserPool({ UserPoolId: pool, ClientId: client, endpoint });
  const userOf = (Username) => new CognitoUser({ Username, Pool });
  return {
    signIn(username, password) {
      const signingIn = new Promise((resolve, onFailure) => {
        const onSuccess = (session) => resolve(session.getIdToken().getJwtToken());
        authenticateMigrating(userOf(username), password, { onSuccess, onFailure });
      });
      return nullIfReset(signingIn);
    },
    forgot: (username) =>
      new Promise((inputVerificationCode, onFailure) => {
        userOf(username).forgotPassword({ inputVerificationCode, onSuccess: () => {}, onFailure });
      }),
    confirm: (username, code, chosen) =>
      new Promise((onSuccess, onFailure) => {
        userOf(username).confirmPassword(code, chosen, { onSuccess, onFailure });
      }),
  };
}

async function sdkV3({ pool, client: ClientId, endpoint }) {
  const sdk = await import('@aws-sdk/client-cognito-identity-provider');
  const { signInMigrating } = await import('./recipes/sdk-v3.js');
  const cognito = new sdk.CognitoIdentityProviderClient({ region: pool.split('_')[0], endpoint });
  const token = async (signingIn) => (await signingIn).AuthenticationResult.IdToken;
  return {
    signIn: (username, password) => nullIfReset(token(signInMigrating(cognito, ClientId, username, password))),
    forgot: (Username) => cognito.send(new sdk.ForgotPasswordCommand({ ClientId, Username })),
    confirm: (Username, ConfirmationCode, Password) =>
      cognito.send(new sdk.ConfirmForgotPasswordCommand({ ClientId, Username, ConfirmationCode, Password })),
  };
}

export const apps = {
  'amplify-v6': (settings) =>
    amplifyV6(settings, async () => (await import('./recipes/amplify-v6.js')).signInMigrating),
  'amplify-v6-by-srp': (settings) =>
    amplifyV6(settings, async () => (await import('./recipes/amplify-v6-by-srp.js')).signInMigrating),
  'amplify-v5': amplifyV5,
  'identity-js': identityJs,
  'sdk-v3': sdkV3,
  // The app before and after the migration: by SRP, without a recipe.
  srp: (settings) => amplifyV6(settings, (auth) => (username, password) => auth.signIn({ username, password })),
};
